"""Restoring a backup into an empty store: as it was, but for what may have been sent since.

The copy is made ready beside the store and becomes it in one step, so a restore that was cut off
has left the store empty. From then on nobody is called until `store.restored.release`.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, case, func, literal, select, text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from hub.errors import ConfigError, Fault, HubError
from store import engine, idempotency, leases, migrate, moving
from store.audit import note
from store.backup import Check, Told, forget, sync, tables
from store.crypto import Cipher
from store.restore_schema import restores
from store.restored import REPEATED
from store.schema import EPOCH, MICROSECOND, Time, accounts, cursors, jobs
from store.settle import resolve_from_events
from store.tx import Tx

RESTORED = "restored from a backup: it may have been sent since"
GAP = 1_000_000_000
"""How far the feed's numbers jump: those given out after the backup are never given out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What is restored, by whom, when."""

    file: Path
    by: str
    now: datetime


async def restore(
    what: Restore, url: str, *, cipher: Cipher, check: Check, told: Told = lambda *_: None
) -> datetime:
    """Make a store of a backup; give when the backup was made.

    Raises:
        ConfigError: A hub serves the store, or it is not empty.
        HubError: The file is no backup, or what must hold does not hold in it.
    """
    target = engine.parse(url)
    cut, kind = _read(what.file)
    if kind == "postgresql" and target.get_backend_name() == "sqlite":
        raise HubError("a backup of PostgreSQL is restored into PostgreSQL")
    with _room(target) as part:
        shutil.copyfile(what.file, part)
        _ready(part, what, cipher)
        if broken := await check(f"sqlite:///{part}"):
            raise HubError(f"the backup breaks what must hold: {', '.join(broken)}")
        if target.get_backend_name() == "sqlite":
            _become(part, Path(str(target.database)))
        else:
            await moving.move(f"sqlite:///{part}", url, told=told)
    return cut


def _read(file: Path) -> tuple[datetime, str]:
    """Give when a backup was made, and of which sort of store."""
    if not file.is_file():
        raise HubError(f"{file} does not exist")
    try:
        with closing(sqlite3.connect(_uri(file), uri=True)) as connection:
            row = connection.execute(
                "SELECT cut, kind, at FROM restores ORDER BY n DESC LIMIT 1"
            ).fetchone()
    except sqlite3.Error as error:
        raise HubError(f"{file} is no backup made by hub backup: {error}") from error
    if row is None or row[2] is not None:
        raise HubError(f"{file} is a store, not a backup made by hub backup")
    return EPOCH + row[0] * MICROSECOND, str(row[1])


def _uri(file: Path) -> str:
    return f"{file.absolute().as_uri()}?mode=ro&immutable=1"


# -- where it goes ---------------------------------------------------------------------------------
@contextmanager
def _room(target: URL) -> Iterator[Path]:
    """Give a place to make the copy ready, while nobody serves the store."""
    if target.get_backend_name() != "sqlite":
        with tempfile.TemporaryDirectory() as home:
            yield Path(home) / "restoring.db"
        return
    database, lock = Path(str(target.database)), engine.Lock(target)
    lock.take()
    part = database.with_name(database.name + ".restoring")
    try:
        _must_be_empty(database)
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        yield part
    finally:
        forget(part)
        lock.release()


def _must_be_empty(database: Path) -> None:
    """Let pass no file, or one in which nothing was ever kept."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection:
        for name in tables(connection):
            if connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone():  # noqa: S608
                what = f"{database} is not empty: {name} has rows"
                fix = "move it away; a backup is restored into an empty store only"
                raise ConfigError(Fault(code="store.restore", text=what, fix=fix))


def _become(part: Path, database: Path) -> None:
    with closing(sqlite3.connect(part)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    sync(part)
    for end in ("-wal", "-shm"):
        database.with_name(database.name + end).unlink(missing_ok=True)
    part.replace(database)
    sync(database.parent)


# -- making it ready -------------------------------------------------------------------------------
def _ready(part: Path, what: Restore, cipher: Cipher) -> None:
    """Bring a copy up to this release and to this moment, in one transaction."""
    try:
        with engine.writing(engine.parse(f"sqlite:///{part}")).begin() as connection:
            migrate.upgrade(connection)
            _catch_up(connection, what, cipher)
    except DBAPIError as error:
        raise HubError(f"{what.file} cannot be restored: {error.orig}") from error


def _catch_up(connection: Connection, what: Restore, cipher: Cipher) -> None:
    tx = Tx(connection, now=what.now, cipher=cipher, route=lambda *_: ())
    latest = select(func.max(restores.c.n)).scalar_subquery()
    row = tx.row(select(restores.c.n, restores.c.cut).where(restores.c.n == latest))
    if row is None:
        raise HubError(f"{what.file} is no backup made by hub backup")
    mark_sent(tx, row.cut)
    while leases.rescue(tx, all_of_them=True):
        pass
    park_unsafe(tx)
    for work in tx.afterwards:
        work(tx)
    tx.run(update(cursors).values(node=None, until=None, due_at=tx.now))
    idempotency.release(tx)
    _leave_gap(tx)
    restored = update(restores).where(restores.c.n == row.n)
    tx.run(restored.values(at=tx.now, by=what.by, file=what.file.name))
    note(tx, what.by, "restore", what.file.name, f"made at {row.cut.isoformat()}")


def mark_sent(tx: Tx, cut: datetime) -> None:
    """Have whatever was to be sent count as sent once, at the time of the backup.

    It may have been, right after. Its key, if it has one, is good from then on, and no longer.
    """
    held = select(accounts.c.held).where(accounts.c.account == jobs.c.account).scalar_subquery()
    live = jobs.c.state.in_(("r", "w", "l")), jobs.c.effect.in_(REPEATED)
    tx.run(
        update(jobs)
        .where(*live)
        .values(
            first_sent_at=func.coalesce(jobs.c.first_sent_at, literal(cut, Time)),
            held0=func.coalesce(jobs.c.held0, held, 0),
            failures=case((jobs.c.failures == 0, 1), else_=jobs.c.failures),
            error=case((jobs.c.effect == "unsafe", RESTORED), else_=jobs.c.error),
        )
    )


def park_unsafe(tx: Tx) -> None:
    """Make unsafe jobs uncertain; those behind another in their lane are, once it is their turn."""
    ready = jobs.c.state == "r", jobs.c.effect == "unsafe"
    parked = update(jobs).where(*ready).values(state="u").returning(jobs.c.uid)
    resolve_from_events(tx, sorted(row.uid for row in tx.rows(parked)))


def _leave_gap(tx: Tx) -> None:
    """Give the events of the backup their places, and later ones places nobody has seen."""
    tx.run(_NUMBER)
    tx.run(_NUMBERED)
    for name in ("events", "feed"):
        tx.run(_BEGUN, {"name": name})
        tx.run(_GAP, {"name": name, "gap": GAP})


_NUMBER = text("INSERT INTO feed (n) SELECT n FROM feed_waiting ORDER BY n")
_NUMBERED = text("DELETE FROM feed_waiting")
_BEGUN = text(
    "INSERT INTO sqlite_sequence (name, seq) SELECT :name, 0"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :name)"
)
_GAP = text("UPDATE sqlite_sequence SET seq = seq + :gap WHERE name = :name")
