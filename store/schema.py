"""The tables of inbox, events and jobs, alike on every store. Times are aware UTC datetimes.

Never here: queries. Text plus CHECK instead of enums; integers for money; bytes for JSON, since
bodies and payloads are encrypted (store.crypto) and never searched.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator

# An INSERT that can say what to do on a conflict. SQLite took that clause over from PostgreSQL, and
# SQLAlchemy writes this one for both.
upserting = postgresql.insert

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
metadata = MetaData()

Int = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Bytes = LargeBinary().with_variant(sqlite.BLOB(), "sqlite")


class Time(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as integer microseconds since 1970."""

    impl = Int
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Read; by one plain function, as every row of a claim has five times."""
        return _read_time


def _read_time(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(microseconds=value)


def table(name: str, *parts: Any, counted: bool = False, **more: Any) -> Table:
    """Declare a table: STRICT on SQLite; `counted` ones never give an id out twice."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=counted, **more)


def at(name: str, *, null: bool = False, **more: Any) -> Column[datetime]:
    """Declare a time column."""
    return Column(name, Time, nullable=null, **more)


def word(name: str, *, null: bool = False, **more: Any) -> Column[str]:
    """Declare a text column."""
    return Column(name, Text, nullable=null, **more)


def number(name: str, *, null: bool = False, **more: Any) -> Column[int]:
    """Declare an integer column."""
    return Column(name, Int, nullable=null, **more)


def data(name: str, *, null: bool = False) -> Column[bytes]:
    """Declare a bytes column."""
    return Column(name, Bytes, nullable=null)


def only(condition: str) -> dict[str, Any]:
    """Keep an index to the rows for which a condition holds; say it likewise where it is used."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


inbox = table(
    "inbox",
    word("id", primary_key=True),
    word("connector"),
    at("received_at"),
    word("via"),
    word("method"),
    word("target"),
    data("headers", null=True),
    data("body", null=True),
    word("secret_used", null=True),
    Index("inbox_recent", "connector", "received_at"),
)

# One row per event ever taken in; the unique key is the dedupe, never check-then-act.
dedupe = table(
    "dedupe",
    word("connector", primary_key=True),
    Column("key16", Bytes, primary_key=True),
    at("seen_on"),
)

job_keys = table(
    "job_keys",
    word("connector", primary_key=True),
    Column("key16", Bytes, primary_key=True),
    word("uid"),
    at("seen_on"),
)

events = table(
    "events",
    Column("n", Int, primary_key=True, autoincrement=True),
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
    at("occurred_at"),
    at("recorded_at"),
    data("data", null=True),
    word("inbox_id", null=True),
    word("job", null=True),
    number("failed", server_default="0"),
    word("causation", null=True),
    number("jobs_made", server_default="0"),
    Index("events_job", "job", **only("job IS NOT NULL")),
    Index("events_about", "aggregate_id", "n"),
    Index("events_inbox", "inbox_id"),
    counted=True,
)  # fmt: skip

# Where several nodes write, `n` becomes visible out of order: the feed is numbered after commit,
# by one node at a time (store.feed). SQLite needs neither table: there `n` is the feed's order.
feed = table(
    "feed",
    Column("place", Int, primary_key=True, autoincrement=True),
    number("n", unique=True),
    counted=True,
)
feed_waiting = table("feed_waiting", Column("n", Int, primary_key=True, autoincrement=False))


def _job_columns() -> list[Column[Any]]:
    """Give what a live job and an ended one both keep."""
    return [
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
        at("due_at"),
        at("created_at"),
        number("attempt", server_default="0"),
        number("failures", server_default="0"),
        number("blocks", server_default="0"),
        at("give_up_at", null=True),
        at("first_sent_at", null=True),
        word("effect"),
        word("key"),
        data("body_hash", null=True),
        data("payload", null=True),
        word("mapping_hash", null=True),
        word("config_hash", null=True),
        word("trace", null=True),
        word("ref", null=True),
        word("error", null=True),
    ]


HEAD = "lane IS NOT NULL AND state IN ('r','l','u','b')"
"""Who heads a lane; repeated word for word wherever the index jobs_head must be used."""

DELIVERY = "connector = 'webhook'"
"""Which jobs are deliveries to subscribers; repeated word for word where their index is used."""

jobs = table(
    "jobs",
    Column("id", Int, primary_key=True, autoincrement=True),
    *_job_columns(),
    word("lease_owner", null=True),
    at("lease_until", null=True),
    number("held0", null=True),  # accounts.held at the first attempt that counts
    Index("jobs_head", "connector", "lane", unique=True, **only(HEAD)),
    Index("jobs_claim", "account", "prio", "due_at", "id", **only("state = 'r'")),
    Index("jobs_wait", "connector", "lane", "id", **only("state = 'w'")),
    Index("jobs_lease", "lease_until", **only("state = 'l'")),
    Index("jobs_unsure", "uid", **only("state = 'u'")),
    Index("jobs_dead", "connector", "uid", **only("state IN ('d','b')")),
    Index("jobs_event", "event_id"),
    Index("jobs_delivery", "account", "uid", **only(DELIVERY)),
    Index("jobs_inbox", "inbox_id", **only("inbox_id IS NOT NULL")),
    counted=True,
    # Small, hot, always changing: room in each page, and vacuum early.
    postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.02},
)  # fmt: skip

job_history = table(
    "job_history",
    Column("n", Int, primary_key=True, autoincrement=True),
    number("id", null=True),
    *_job_columns(),
    word("reason", null=True),
    word("ended_by", null=True),
    at("ended_at"),
    Index("history_event", "event_id"),
    Index("history_recent", "ended_at"),
    Index("history_delivery", "account", "uid", **only(DELIVERY)),
    counted=True,
)

attempts = table(
    "attempts",
    word("job", primary_key=True),
    Column("attempt", Int, primary_key=True),
    at("started_at"),
    number("ms", null=True),
    word("outcome"),
    number("status", null=True),
    word("error", null=True),
    word("request_id", null=True),
)

accounts = table(
    "accounts",
    word("account", primary_key=True),
    word("connector"),
    at("paused_until", null=True),
    word("held_reason", null=True),
    at("held_since", null=True),
    word("paused_by", null=True),
    at("paused_at", null=True),
    number("held", server_default="0"),  # microseconds of ended holds and pauses, ever
    at("breaker_since", null=True),  # open since then; null: closed
    at("probe_at", null=True),  # when an account on trial may be probed again
    data("strikes", null=True),  # JSON: microseconds of the latest failures
)

# A node's block of an account's limit: how many calls it may make, how many it had made by `at`.
budgets = table(
    "budgets",
    word("account", primary_key=True),
    word("name", primary_key=True),
    word("node", primary_key=True),
    number("calls"),
    number("spent"),
    at("at"),
)

# How many jobs of a route were claimed for the first time in an hour since 1970; `excused` of them
# count no more, since a person has let them pass.
route_hours = table(
    "route_hours",
    word("route", primary_key=True),
    Column("hour", Int, primary_key=True, autoincrement=False),
    number("jobs"),
    number("excused", server_default="0"),
)

# The same for whom they were for, by a keyed hash.
recipient_hours = table(
    "recipient_hours",
    Column("who", Bytes, primary_key=True),
    Column("hour", Int, primary_key=True, autoincrement=False),
    number("jobs"),
)

route_holds = table(
    "route_holds",
    word("route", primary_key=True),
    at("since", null=True),  # null: not held
    word("reason", null=True),
    at("released_at", null=True),  # jobs made until then pass
    word("released_by", null=True),
    at("paused_at", null=True),  # since when its jobs are held because config.yaml pauses it
)

# When each webhook secret last let a request in, by the name of the secret.
secret_uses = table(
    "secret_uses",
    word("connector", primary_key=True),
    word("secret", primary_key=True),
    at("seen_at"),
)

# How far each source of a connector has been read, and which node reads it now. A sync has its own,
# as `source:sync`.
cursors = table(
    "cursors",
    word("connector", primary_key=True),
    word("source", primary_key=True),
    word("cursor", null=True),
    at("due_at"),  # when it is to be read again
    at("read_at", null=True),  # when it was last read to its end
    word("node", null=True),
    at("until", null=True),  # the reader's lease
    word("schedule", null=True),  # what due_at follows from
    at("began_at", null=True),  # the run under way, cut short or not
    number("jobs", null=True),  # of that run, or of the last
    word("error", null=True),  # why it was cut short
    word("again", null=True),  # marks the keys of a run that sends what was sent before
)

links = table(
    "links",
    word("connector", primary_key=True),
    word("kind", primary_key=True),
    word("our_id", primary_key=True),
    word("their_id"),
    at("updated_at"),
)

idempotency = table(
    "idempotency",
    word("scope", primary_key=True),
    word("key", primary_key=True),
    data("fingerprint"),
    number("status"),
    data("headers"),
    data("body"),  # sealed; empty while the call runs, and once the person it told of is forgotten
    at("created_at"),
    word("subject", null=True),  # the id of what was changed
    Index("idempotency_subject", "subject", **only("subject IS NOT NULL")),
)

api_keys = table(
    "api_keys",
    word("id", primary_key=True),
    word("role"),
    word("scopes", null=True),  # parted by spaces; null: all that the role may
    word("title", null=True),
    Column("hash", Bytes, nullable=False),
    at("created_at"),
    at("revoked_at", null=True),
    at("last_used_at", null=True),
    UniqueConstraint("hash"),
)

audit = table(
    "audit",
    Column("n", Int, primary_key=True, autoincrement=True),
    at("at"),
    word("who"),
    word("what"),
    word("subject"),
    word("note", null=True),
    Index("audit_subject", "subject"),
    counted=True,
)

# Which configuration ran since when, and which were refused.
configs = table(
    "configs",
    Column("n", Int, primary_key=True, autoincrement=True),
    at("at"),
    word("node"),
    word("who"),
    word("what"),
    word("hash", null=True),
    word("faults", null=True),
    counted=True,
)

# Up to where retention has deleted; `hub verify` asks for no jobs and events before it.
horizons = table(
    "horizons",
    word("name", primary_key=True),
    at("until"),
)
