"""Which columns of a job are written when."""

from store.schema import job_history, jobs

BORN_WITH = (
    "uid", "connector", "account", "action", "route", "event_id", "inbox_id", "lane", "prio",
    "due_at", "created_at", "blocks", "give_up_at", "effect", "key", "payload", "mapping_hash",
    "config_hash", "trace", "error",
)  # fmt: skip
"""What is filled when it is written, beside its state."""

LEASE = ("attempt", "lease_owner", "lease_until", "first_sent_at", "held0")
"""By which it is leased, beside its state."""
FREE = dict.fromkeys(LEASE) | {"attempt": 0}

ENDED_WITH = ("id", "state", "reason", "ended_by", "ref")
"""What its end says of it; the first names it."""
LASTING = tuple(
    c.name for c in jobs.columns if c.name in job_history.columns and c.name not in ENDED_WITH
)
"""What goes to history as it stands."""
