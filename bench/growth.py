"""Ingest beside much that is over: how little that should matter."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Table, text

from bench.load import Events
from bench.rounds import Rate, shown
from bench.served import HubServed, Setting
from bench.stores import DURABLE, database, pieces
from bench.whole import POSTGRES, SQLITE, Rung, begin, measured, taken
from hub.clock import Clock, SystemClock
from hub.ids import new_id
from hub.model import Event, NewJob, Request
from hub.secrets import Secret
from store.crypto import new_key
from store.inbox import Receipt, Taken
from store.schema import attempts, dedupe, events, inbox, job_history, job_keys
from store.settle import Completion
from store.store import Store
from store.tx import Tx
from tests.postgres import own_server

PIECE = 50_000
JOBS = 3  # of a webhook


async def growth(folder: Path, count: int, rounds: int, *, most: int | None = None) -> list[Rate]:
    """Compare ingest with nothing in the store, and beside finished webhooks of three jobs each.

    Args:
        most: Finished jobs at most, on SQLite; a tenth of that on PostgreSQL. 1,000 x `count`
            unless said.
    """
    sent, over = Events(), most or count * 1000
    sizes = {SQLITE: (0, over // 10, over), POSTGRES: (0, over // 10)}
    async with AsyncExitStack() as ends:
        server = own_server(DURABLE)
        ends.callback(server.stop)
        rungs = []
        names = {f"{store}, {n:,} over": (store, n) for store, its in sizes.items() for n in its}
        for name, (store, jobs) in names.items():
            here = store == SQLITE
            url = f"sqlite:///{folder}/{jobs}.db" if here else await database(server, f"g{jobs}")
            key, setting = new_key(), Setting(store=url, paused=True)
            hub = HubServed(folder / f"{jobs}-{here}", setting, key=key,
                            database=None if here else server)  # fmt: skip
            await _fill(setting.store, key, jobs // JOBS)
            begin(hub, ends)
            rungs.append(Rung(name=name, served=[hub],
                              work=partial(taken, sent, hub), base=f"{store}, 0 over"))  # fmt: skip
        return await measured(rungs, count, rounds)


async def _fill(url: str, key: str, count: int) -> None:
    """Have so many webhooks in a store, each with an event and three jobs, and all of them over."""
    if not count:
        return
    clock = SystemClock()
    store = await Store.open(url, keys=[Secret(key)], clock=clock, served=True)
    await store.know_accounts(["crm"])
    await _one(store, "first")
    for piece in shown(list(pieces(count, most=PIECE)), f"{count:,} webhooks that are over"):
        await store.write(partial(_copy, piece=piece))
    await _one(store, "last")  # by what came last a hub knows its key; a copy is sealed for another
    await store.write(lambda tx: tx.run(text("ANALYZE")))
    await store.close()


async def _one(store: Store, ident: str) -> None:
    """Take one in, and end its job."""
    await store.receive(_receipt(store.clock, ident))
    until = store.clock.now() + timedelta(minutes=1)
    [job], _ = await store.claim({"crm": 1}, node="n", until=until)
    ended = Completion(job=job, state="done", outcome="ok", started_at=job.created_at, ms=1)
    await store.settle(ended)


def _receipt(clock: Clock, ident: str) -> Receipt:
    now = clock.now()
    event = Event(type="stripe.some", at=now, data={"pad": "x" * 500}, ext_id=ident,
                  id=new_id("evt", now), connector="stripe", recorded_at=now)  # fmt: skip
    job = NewJob(uid=new_id("job", now), connector="crm", account="crm", action="put", key=ident,
                 effect="upsert", payload=b"{}", due_at=now, event_id=event.id)  # fmt: skip
    request = Request(method="POST", url="https://h/s", headers=((b"A", b"b"),), body=b"x" * 500)
    return Receipt(id=new_id("inb", now), connector="stripe", request=request, received_at=now,
                   taken=[Taken(event=event, jobs=[job])])  # fmt: skip


def _copy(tx: Tx, piece: range) -> None:
    for table, (times, own) in COPIED.items():
        between = {"from": piece.start * times, "until": piece.stop * times}
        tx.run(text(_copied(table, own, HASHES[tx.connection.dialect.name])), between)


HASHES = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
OWN, OF_EVENT = "\"{name}\" || '-' || k", f"\"{{name}}\" || '-' || k / {JOBS}"
HASH = "{hash}"
COPIED = {
    inbox: (1, {"id": OWN}), events: (1, {"id": OWN, "ext_id": OWN}), dedupe: (1, {"key16": HASH}),
    job_keys: (JOBS, {"key16": HASH, "uid": OWN}), attempts: (JOBS, {"job": OWN}),
    job_history: (JOBS, {"uid": OWN, "event_id": OF_EVENT}),
}  # fmt: skip
"""Tables, how many rows a webhook has in each, and how columns are made in which rows differ."""


def _copied(table: Table, own: Mapping[str, str], made_hash: str) -> str:
    names = [column.name for column in table.columns if column.name != "n"]
    made = ", ".join(own.get(name, '"{name}"').format(name=name, hash=made_hash) for name in names)
    first = ", ".join(column.name for column in table.primary_key)
    return f"""
        INSERT INTO {table.name} ({", ".join(f'"{name}"' for name in names)})
        WITH RECURSIVE s(k) AS (
            SELECT CAST(:from AS bigint) UNION ALL SELECT k + 1 FROM s WHERE k + 1 < :until)
        SELECT {made} FROM s CROSS JOIN (
            SELECT * FROM {table.name} ORDER BY {first} LIMIT 1) it"""
