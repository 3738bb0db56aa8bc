"""A backlog under its providers' budgets: how fast it goes, and what others' jobs wait beside it.

Two accounts have as many jobs waiting as there are orders, none of them tried yet; the third has
none. Webhooks come at a steady pace, before and beside the backlog; what is timed is their call to
the third account, from when the webhook was due.
"""

import asyncio
import json
import re
import time
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from bench.load import Events, Target, delivered, steady
from bench.rounds import shown
from bench.served import ACCOUNTS, HubServed
from bench.stores import pieces
from bench.waits import Wait, waits
from bench.whole import WARMING, ground, hubs
from hub.clock import SystemClock
from hub.ids import new_id
from hub.model import NewJob
from hub.secrets import Secret
from store.store import Store
from store.tx import Tx

FREE = ACCOUNTS[-1]
CALLED = re.compile(rb'^\w+ /(\w+).*"id":"(\w+)"', re.DOTALL)
FRESH = 60.0  # seconds of webhooks, at most
PACE = 10  # webhooks a second, fewer than any budget allows
STEP = 0.1
PARTS = 100  # steps of the bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """An account's backlog: the calls a second that its budget allows, and those that were made."""

    name: str
    allowed: int
    made: float


@dataclass(slots=True)
class Book:
    """When each account was called, and when for each event."""

    came: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ACCOUNTS})
    free: dict[str, float] = field(default_factory=dict)

    def note(self, asked: bytes) -> None:
        """Note a call."""
        if (found := CALLED.search(asked)) is not None:
            at, name = time.perf_counter(), found[1].decode()
            self.came[name].append(at)
            if name == FREE:
                self.free[found[2].decode()] = at

    def rate(self, name: str, allowed: int, within: float, orders: int) -> float:
        """Give the calls a second of an account, of so many seconds and orders at most.

        A second's worth may come at once: counted are whole ones, without the first.
        """
        came = self.came[name][:orders]
        last = bisect(came, came[0] + within) - 1
        whole = (last - allowed) // allowed * allowed
        return whole / (came[allowed + whole] - came[allowed]) if whole > 0 else last / within


async def drain(
    folder: Path, count: int, rounds: int, *, calls: Mapping[str, int], within: float,
    orders: int | None = None,
) -> list[Wait | Drained]:  # fmt: skip
    """Time webhooks alone, then beside a backlog, and say how fast that goes.

    Args:
        calls: What the budgets of the accounts with a backlog allow in a second.
        within: Seconds after which it is left as it is; webhooks come for a minute at most.
        orders: Jobs that wait for each account, four seconds' worth at least; `count` unless said.
    """
    events, found = Events(), list[Wait | Drained]()
    many = max(orders or count, 4 * max(calls.values()))
    fresh = min(within, FRESH)
    async with ground() as (target, server, ends):
        made = await hubs(folder, server, ends, "drain", port=target.port, calls=calls)
        for store, hub in made.items():
            name = f"{store}: no backlog"
            await delivered(target, [hub.port], events.signed(WARMING))
            await hub.idle()
            alone = await _fresh(events, target, hub, fresh, Book())
            await hub.idle()
            book = await _heaped(target, hub, many, calls)
            begun = time.perf_counter()
            beside = await _fresh(events, target, hub, fresh, book)
            await _over(book, calls, many, begun + within)
            target.heard = lambda _: None
            found += [Wait(name=name, base=name, rounds=(alone,)),
                      Wait(name=f"{store}: beside one", base=name, rounds=(beside,))]  # fmt: skip
            for its, allowed in calls.items():
                rate = book.rate(its, allowed, within, many)
                found.append(Drained(name=f"{store}: {its}", allowed=allowed, made=rate))
            hub.stop()
    return found


async def _fresh(
    events: Events, target: Target, hub: HubServed, seconds: float, book: Book
) -> tuple[float, ...]:
    """Send webhooks for so long; give the ms from when each was due to its free call."""
    target.heard, first = book.note, events.number + 1
    told = await steady(hub.port, events.signed(int(seconds * PACE)), PACE)
    idents = [f"pi_{events.run}_{first + n}" for n in range(len(told))]
    end = time.perf_counter() + 60
    while not all(ident in book.free for ident in idents):
        if time.perf_counter() > end:
            raise RuntimeError("calls did not come")
        await asyncio.sleep(STEP)
    return tuple((book.free[i] - due) * 1000 for i, (due, _) in zip(idents, told, strict=True))


async def _heaped(target: Target, hub: HubServed, orders: int, calls: Mapping[str, int]) -> Book:
    """Write the backlog while the hub is down; give the book of its calls, once they come."""
    hub.stop()
    key, clock = Secret(hub.env["HUB_KEY"]), SystemClock()
    store = await Store.open(hub.setting.store, keys=[key], clock=clock, served=True)
    for piece in shown(list(pieces(orders)), f"{orders:,} orders"):
        for name in calls:
            jobs = list(_jobs(name, piece, clock.now()))
            await store.write(partial(_enqueue, jobs=jobs))
    await store.close()
    book = Book()
    target.heard = book.note
    hub.start()
    while not all(book.came[name] for name in calls):  # noqa: ASYNC110 -- in steps
        await asyncio.sleep(STEP)
    return book


def _enqueue(tx: Tx, jobs: Sequence[NewJob]) -> None:
    tx.enqueue(*jobs)


def _jobs(name: str, numbers: range, now: datetime) -> Iterator[NewJob]:
    for n in numbers:
        uid = new_id("job", now)
        body = {"id": f"order_{n}", "email": f"buyer-{n}@example.com", "name": "Ann Example"}
        yield NewJob(
            uid=uid, connector=name, account=name, action="put", key=uid, effect="upsert",
            payload=json.dumps(body, separators=(",", ":")).encode(), due_at=now,
        )  # fmt: skip


async def _over(book: Book, calls: Mapping[str, int], orders: int, end: float) -> None:
    """Wait until the backlog is gone, or until then."""
    for n in shown(range(1, PARTS + 1), "draining"):
        while min(len(book.came[name]) for name in calls) < orders * n / PARTS:
            if time.perf_counter() > end:
                return
            await asyncio.sleep(STEP)


def drains(title: str, found: Sequence[Wait | Drained], unit: str) -> str:
    """Print what the others' calls took, and what was made of what was allowed."""
    lines = [waits(title, [one for one in found if isinstance(one, Wait)], "webhook"), ""]
    lines += [f"{'':48}{'allowed/s':>10}{'made/s':>9}{'share':>7}  ({unit})"]
    for one in found:
        if isinstance(one, Drained):
            share = one.made / one.allowed
            lines.append(f"{one.name:48}{one.allowed:10}{one.made:9.1f}{share:7.3f}")
    return "\n".join(lines)
