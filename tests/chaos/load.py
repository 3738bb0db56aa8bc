"""Work for hubs behind a balancer: signed webhooks and API calls in lanes, some sent again."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from store.keys import create_key
from store.store import Store
from tests.chaos.feed import Feed, Item
from tests.chaos.judge import Books, books
from tests.chaos.ledger import Ledger, serving
from tests.chaos.nodes import Node, Setting

TOGETHER = 5  # events of a lane that come in one request


@dataclass
class Yard:
    """Hubs that share a store, their provider, and a balancer in front.

    Attributes:
        noted: Events told through the API, and acknowledged.
        taken: Events sent as webhooks, and acknowledged.
        up: The hubs the balancer sends to; it learns of a fallen one by asking.
    """

    nodes: list[Node]
    ledger: Ledger
    feed: Feed
    books: Books
    key: str
    chance: random.Random
    taken: list[Item] = field(default_factory=list)
    noted: list[Item] = field(default_factory=list)
    twice: int = 0

    def pick(self) -> str:
        """Choose a hub as a balancer does that knows nothing of their health."""
        return self.chance.choice(self.nodes).url

    async def deliver(self, items: Sequence[Item]) -> None:
        """Send a webhook until it is taken in; now and then once more, to whichever hub."""
        await self.feed.deliver(self.pick, *items)
        self.taken += items
        if self.chance.random() < 0.02:
            self.twice += 1
            await self.feed.deliver(self.pick, *items)

    async def note(self, item: Item) -> None:
        """Tell an event through the API under a key, twice at once and to any hub."""
        answers = await asyncio.gather(self._noted(item), self._noted(item))
        assert len({one["id"] for one in answers}) == 1, answers
        self.noted.append(item)

    async def _noted(self, item: Item) -> Any:
        sent = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": item["id"]}
        body = {"type": "erp.note", "data": item}
        async with asyncio.timeout(60):
            while True:
                try:
                    url = f"{self.pick()}/v1/events"
                    async with self.feed.session.post(url, json=body, headers=sent) as got:
                        told = await got.json(content_type=None)
                        if got.status < 300:
                            return told
                        assert got.status >= 500 or got.status == 409, (got.status, told)
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                    pass
                await asyncio.sleep(0.05)

    # -- lanes -------------------------------------------------------------------------------------
    async def fill_lane(self, lane: str, count: int) -> None:
        """Send a lane's events in their order, a few in each request."""
        items = [item(lane, n) for n in range(count)]
        while items:
            some, items = items[:TOGETHER], items[TOGETHER:]
            if self.chance.random() < 0.01:
                for one in some:
                    await self.note(one)
            else:
                await self.deliver(some)

    async def fill(self, lanes: int, jobs: int, *, at_once: int = 24) -> None:
        """Send all, a number of lanes at once."""
        slots = asyncio.Semaphore(at_once)

        async def one(lane: int) -> None:
            async with slots:
                share = jobs // lanes + (lane < jobs % lanes)
                await self.fill_lane(f"lane-{lane}", share)

        async with asyncio.TaskGroup() as group:
            for lane in range(lanes):
                group.create_task(one(lane))

    async def drained(self, within: float) -> None:
        """Wait until no job is left but those of which nobody can know."""
        async with asyncio.timeout(within):
            while (await self.books.states()).keys() - {"u"}:
                await asyncio.sleep(0.1)


def item(lane: str, n: int) -> Item:
    """Make an event; one in ten asks for something that must not be repeated, in no lane."""
    unsafe = n % 10 == 9
    kind = "tell_free" if unsafe else "book_lane"
    of = f"free-{lane}-{n}" if unsafe else lane
    return {"id": f"{lane}-{n}", "kind": kind, "lane": of, "n": n}


@asynccontextmanager
async def yard(
    home: Path, store: str, *, nodes: int, seed: int, **more: Any
) -> AsyncIterator[Yard]:
    """Set it all up, its hubs not started, on a store that has no tables yet."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(serving())
        setting = Setting(store=store, double=ledger.url, **more)
        await Store.migrate(store)
        beside = await stack.enter_async_context(books(setting))
        key = (await beside.store.write(lambda tx: create_key(tx, "shop", "tests")))["key"]
        feed = await stack.enter_async_context(Feed(setting))
        hubs = [Node(home / f"node-{number}", setting) for number in range(nodes)]
        stack.callback(lambda: [hub.kill() for hub in hubs])
        yield Yard(hubs, ledger, feed, beside, key, random.Random(seed))
