"""Ingest on a slow disk, and beside much that is over: how little either should matter."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Table, text

from bench.load import Events
from bench.rounds import Rate
from bench.served import HubServed, Setting
from bench.stores import pieces
from bench.whole import Rung, begin, measured, taken
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

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slow(const char *name, int file) {
    usleep(2000);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return slow("fsync", file); }
int fdatasync(int file) { return slow("fdatasync", file); }
"""
PIECE = 50_000


async def slow(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare ingest on this disk with one whose every fsync takes 2 ms longer."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("slow: left out, as no C compiler (cc) is here to make the disk slow")
        return []
    (folder / "slow.c").write_text(SHIM)
    shim = folder / "slow.so"
    words = [compiler, "-shared", "-fPIC", "-o", shim, folder / "slow.c", "-ldl"]
    await asyncio.to_thread(subprocess.run, words, check=True)
    its = Events()
    async with AsyncExitStack() as ends:
        rungs = []
        for n, (name, preload) in enumerate({"this disk": None, "+2 ms an fsync": shim}.items()):
            setting = Setting(store=f"sqlite:///{folder}/{n}.db", paused=True)
            hub = HubServed(folder / str(n), setting, preload=preload)
            begin(hub, ends)
            rungs.append(Rung(name=f"SQLite, synchronous=FULL, {name}", served=[hub],
                              work=partial(taken, its, hub)))  # fmt: skip
        return await measured(rungs, count, rounds)


# -- growth ----------------------------------------------------------------------------------------
async def growth(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare ingest with nothing in the store, and with 1,000 x `count` finished webhooks."""
    its = Events()
    async with AsyncExitStack() as ends:
        rungs = []
        for over in (0, count * 100, count * 1000):
            setting = Setting(store=f"sqlite:///{folder}/{over}.db", paused=True)
            key = new_key()
            hub = HubServed(folder / str(over), setting, key=key)
            await _fill(setting.store, key, over)
            begin(hub, ends)
            rungs.append(Rung(name=f"SQLite, synchronous=FULL, {over:,} over", served=[hub],
                              work=partial(taken, its, hub)))  # fmt: skip
        return await measured(rungs, count, rounds)


async def _fill(url: str, key: str, count: int) -> None:
    """Have so many webhooks in a store, each with an event and a job, and all of them over."""
    if not count:
        return
    clock = SystemClock()
    store = await Store.open(url, keys=[Secret(key)], clock=clock, served=True)
    await store.know_accounts(["crm"])
    await _one(store, "first")
    for piece in pieces(count, most=PIECE):
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
    for table, own in COPIED.items():
        tx.run(text(_copied(table, own)), {"from": piece.start, "until": piece.stop})


COPIED = {
    inbox: ("id",), events: ("id", "ext_id"), dedupe: ("key16",), job_keys: ("key16", "uid"),
    job_history: ("uid",), attempts: ("job",),
}  # fmt: skip
"""Tables, and the columns in which no two rows are the same."""


def _copied(table: Table, own: Sequence[str]) -> str:
    names = [column.name for column in table.columns if column.name != "n"]
    made = ", ".join(_made(name, own) for name in names)
    first = ", ".join(column.name for column in table.primary_key)
    return f"""
        INSERT INTO {table.name} ({", ".join(f'"{name}"' for name in names)})
        WITH RECURSIVE s(k) AS (
            SELECT CAST(:from AS bigint) UNION ALL SELECT k + 1 FROM s WHERE k + 1 < :until)
        SELECT {made} FROM s CROSS JOIN (
            SELECT * FROM {table.name} ORDER BY {first} LIMIT 1) it"""


def _made(name: str, own: Sequence[str]) -> str:
    if name not in own:
        return f'"{name}"'
    return "randomblob(16)" if name == "key16" else f"{name} || '-' || k"
