"""First tables: what comes in, events, jobs and what they need.

Written out: what a released migration makes must never change with the tables of a later release.
"""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, Text, text
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

Int = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Bytes = LargeBinary().with_variant(sqlite.BLOB(), "sqlite")


def upgrade() -> None:
    """Expand."""
    _part_1()
    _part_2()
    _part_3()
    _part_4()


def _part_1() -> None:
    table(
        "inbox",
        word("id", primary_key=True),
        word("connector"),
        number("received_at"),
        word("via"),
        word("method"),
        word("target"),
        data("headers", null=True),
        data("body", null=True),
        word("secret_used", null=True),
    )
    index("inbox_recent", "inbox", ["connector", "received_at"])
    table(
        "dedupe",
        word("connector", primary_key=True),
        data("key16", primary_key=True),
        number("seen_on"),
    )
    table(
        "job_keys",
        word("connector", primary_key=True),
        data("key16", primary_key=True),
        word("uid"),
        number("seen_on"),
    )
    table(
        "events",
        number("n", primary_key=True),
        word("id", unique=True),
        word("ext_id", null=True),
        word("type"),
        word("schema", null=True),
        word("connector"),
        word("origin"),
        word("aggregate_type", null=True),
        word("aggregate_id", null=True),
        number("aggregate_version", null=True),
        number("sequence", null=True),
        number("occurred_at"),
        number("recorded_at"),
        data("data", null=True),
        word("inbox_id", null=True),
        word("job", null=True),
        number("failed", server_default="0"),
        word("causation", null=True),
        number("jobs_made", server_default="0"),
        counted=True,
    )
    index("events_about", "events", ["aggregate_id", "n"])
    index("events_inbox", "events", ["inbox_id"])
    index("events_job", "events", ["job"], where="job IS NOT NULL")
    table(
        "feed",
        number("place", primary_key=True),
        number("n", unique=True),
        counted=True,
    )


def _part_2() -> None:
    table(
        "feed_waiting",
        number("n", primary_key=True, autoincrement=False),
    )
    table(
        "jobs",
        number("id", primary_key=True),
        word("uid", unique=True),
        word("connector"),
        word("account"),
        word("action"),
        word("route", null=True),
        word("event_id", null=True),
        word("inbox_id", null=True),
        word("lane", null=True),
        word("state"),
        number("prio", server_default="0"),
        number("due_at"),
        number("created_at"),
        number("attempt", server_default="0"),
        number("failures", server_default="0"),
        number("blocks", server_default="0"),
        number("give_up_at", null=True),
        number("first_sent_at", null=True),
        word("effect"),
        word("key"),
        data("body_hash", null=True),
        data("payload", null=True),
        word("mapping_hash", null=True),
        word("ref", null=True),
        word("error", null=True),
        word("lease_owner", null=True),
        number("lease_until", null=True),
        number("held0", null=True),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
        counted=True,
    )
    index("jobs_claim", "jobs", ["account", "prio", "due_at", "id"], where="state = 'r'")
    index("jobs_event", "jobs", ["event_id"])
    index(
        "jobs_head",
        "jobs",
        ["connector", "lane"],
        unique=True,
        where="lane IS NOT NULL AND state IN ('r','l','u','b')",
    )
    index("jobs_inbox", "jobs", ["inbox_id"], where="inbox_id IS NOT NULL")
    index("jobs_lease", "jobs", ["lease_until"], where="state = 'l'")
    index("jobs_unsure", "jobs", ["uid"], where="state = 'u'")
    index("jobs_wait", "jobs", ["connector", "lane", "id"], where="state = 'w'")
    table(
        "job_history",
        number("n", primary_key=True),
        number("id", null=True),
        word("uid", unique=True),
        word("connector"),
        word("account"),
        word("action"),
        word("route", null=True),
        word("event_id", null=True),
        word("inbox_id", null=True),
        word("lane", null=True),
        word("state"),
        number("prio", server_default="0"),
        number("due_at"),
        number("created_at"),
        number("attempt", server_default="0"),
        number("failures", server_default="0"),
        number("blocks", server_default="0"),
        number("give_up_at", null=True),
        number("first_sent_at", null=True),
        word("effect"),
        word("key"),
        data("body_hash", null=True),
        data("payload", null=True),
        word("mapping_hash", null=True),
        word("ref", null=True),
        word("error", null=True),
        word("reason", null=True),
        word("ended_by", null=True),
        number("ended_at"),
        counted=True,
    )
    index("history_event", "job_history", ["event_id"])
    index("history_recent", "job_history", ["ended_at"])
    table(
        "attempts",
        word("job", primary_key=True),
        number("attempt", primary_key=True, autoincrement=False),
        number("started_at"),
        number("ms", null=True),
        word("outcome"),
        number("status", null=True),
        word("error", null=True),
        word("request_id", null=True),
    )
    table(
        "accounts",
        word("account", primary_key=True),
        word("connector"),
        number("paused_until", null=True),
        word("held_reason", null=True),
        number("held_since", null=True),
        word("paused_by", null=True),
        number("paused_at", null=True),
        number("held", server_default="0"),
        number("breaker_since", null=True),
        number("probe_at", null=True),
        data("strikes", null=True),
    )


def _part_3() -> None:
    table(
        "budgets",
        word("account", primary_key=True),
        word("name", primary_key=True),
        word("node", primary_key=True),
        number("calls"),
        number("spent"),
        number("at"),
    )
    table(
        "route_hours",
        word("route", primary_key=True),
        number("hour", primary_key=True, autoincrement=False),
        number("jobs"),
        number("excused", server_default="0"),
    )
    table(
        "recipient_hours",
        data("who", primary_key=True),
        number("hour", primary_key=True, autoincrement=False),
        number("jobs"),
    )
    table(
        "route_holds",
        word("route", primary_key=True),
        number("since", null=True),
        word("reason", null=True),
        number("released_at", null=True),
        word("released_by", null=True),
    )
    table(
        "links",
        word("connector", primary_key=True),
        word("kind", primary_key=True),
        word("our_id", primary_key=True),
        word("their_id"),
        number("updated_at"),
    )


def _part_4() -> None:
    table(
        "idempotency",
        word("scope", primary_key=True),
        word("key", primary_key=True),
        data("fingerprint"),
        number("status"),
        data("headers"),
        data("body"),
        number("created_at"),
    )
    table(
        "api_keys",
        word("id", primary_key=True),
        word("role"),
        word("title", null=True),
        data("hash", unique=True),
        number("created_at"),
        number("revoked_at", null=True),
        number("last_used_at", null=True),
    )
    table(
        "audit",
        number("n", primary_key=True),
        number("at"),
        word("who"),
        word("what"),
        word("subject"),
        word("note", null=True),
        counted=True,
    )
    index("audit_subject", "audit", ["subject"])
    table(
        "horizons",
        word("name", primary_key=True),
        number("until"),
    )


def table(name: str, *parts: Any, counted: bool = False, **more: Any) -> None:
    """Make a table."""
    op.create_table(name, *parts, sqlite_strict=True, sqlite_autoincrement=counted, **more)


def index(
    name: str, table_name: str, columns: list[str], *, unique: bool = False, where: str = ""
) -> None:
    """Make an index, of the rows for which a condition holds."""
    only: dict[str, Any] = (
        {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    )
    op.create_index(name, table_name, columns, unique=unique, **only)


def word(name: str, *, null: bool = False, **more: Any) -> Column[str]:
    """Give a text column."""
    return Column(name, Text, nullable=null, **more)


def number(name: str, *, null: bool = False, **more: Any) -> Column[int]:
    """Give an integer column; times are integers too."""
    return Column(name, Int, nullable=null, **more)


def data(name: str, *, null: bool = False, **more: Any) -> Column[bytes]:
    """Give a bytes column."""
    return Column(name, Bytes, nullable=null, **more)
