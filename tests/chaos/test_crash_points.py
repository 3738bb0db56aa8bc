"""A hub ends, or freezes, at each step of a job's way; the provider's own ledger is the judge.

Points A to H as docs/guarantees.md names them, on both stores, with and without a lane, for an
action that may be repeated (keyed) and one that may not (unsafe). Three events of one lane come in;
the hub falls at the second.
"""

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from store.crypto import new_key
from store.store import Store
from tests.chaos.feed import Feed, Item
from tests.chaos.judge import Books, books
from tests.chaos.ledger import Ledger, serving
from tests.chaos.nodes import Node, Setting
from tests.chaos.proxy import Proxy

POINTS = ("A", "B_before", "B_after", "C", "D_after", "E_after", "F_before", "F_after", "G", "H")
# How often the job under way was called: under its key when repeatable, never again when unsafe.
CALLS = {"E_after": (2, 1), "F_before": (2, 1), "D_after": (1, 0)}
"""How often the job at that point is called in all: a repeatable one, an unsafe one; else once."""
UNKNOWN = ("D_after", "E_after", "F_before")
"""Where nobody can know what became of an unsafe job that was leased."""
ANYWHERE = ("C", "G", "H")
"""Where its job may be at any step: only what holds of all of them can be said."""


@dataclass(frozen=True)
class Cell:
    point: str
    laned: bool
    unsafe: bool

    def __str__(self) -> str:
        return f"{self.point}-{self.kind}"

    @property
    def kind(self) -> str:
        return ("tell" if self.unsafe else "book") + ("_lane" if self.laned else "_free")

    def events(self) -> list[Item]:
        return [
            {"id": f"{self}-{n}", "kind": self.kind, "lane": str(self), "n": n} for n in (1, 2, 3)
        ]


CELLS = [
    Cell(point, laned, unsafe)
    for point in POINTS
    for laned in (True, False)
    for unsafe in (False, True)
    if laned or not point.endswith("before")  # in the transaction a lane is all there is to lose
]


@dataclass
class Stage:
    """A hub or two, their provider, and their store's books."""

    setting: Setting
    nodes: list[Node]
    ledger: Ledger
    feed: Feed
    books: Books
    exits: AsyncExitStack
    falls: int = 0
    unsure: set[str] = field(default_factory=set)

    @property
    def node(self) -> Node:
        return self.nodes[0]

    async def start(self, crash_at: str | None = None) -> None:
        await asyncio.to_thread(self.node.start, crash_at)

    @property
    def on_file(self) -> bool:
        return self.setting.store.startswith("sqlite")

    async def move_to(self, store: str) -> None:
        """Have the hub serve another store, and read that one's books."""
        if self.on_file:
            await Store.migrate(store)
        self.setting = replace(self.setting, store=store)
        self.nodes[0] = Node(self.node.home, self.setting)
        self.books = await self.exits.enter_async_context(books(self.setting))

    async def again(self) -> None:
        """Start the hub again where it has fallen."""
        if not self.node.runs():
            assert self.node.ended() == -signal.SIGKILL, self.node.said()
            self.falls += 1
            await self.start()

    async def deliver(self, *items: Item) -> None:
        """Send until it is taken in, as a provider does."""
        async with asyncio.timeout(30):
            while (status := await self.feed.post(self.node.url, *items)) != 200:
                assert status in (0, 503), status
                await self.again()

    async def quiet(self) -> None:
        """Wait until no job is left."""
        async with asyncio.timeout(10):
            while await self.books.states():
                await asyncio.sleep(0.01)

    async def finish(self) -> None:
        """Wait until no job is left; a person settles those of which nobody can know."""
        async with asyncio.timeout(30):
            while states := await self.books.states():
                await self.again()
                for uid, event in (await self.books.uncertain()).items():
                    self.unsure.add(event)
                    if not states["l"]:
                        await self.books.settle(uid)
                await asyncio.sleep(0.02)
        await self.again()


@pytest.fixture(scope="module")
def sealed() -> str:
    """Give the key that one store is sealed with."""
    return new_key()


@pytest.fixture
async def stage(shared_store: str, sealed: str, home: Path, crashable: Any) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(serving())
        setting = Setting(
            store=shared_store, key=sealed, double=ledger.url, lease="1200ms", timeout="1s"
        )
        beside = await stack.enter_async_context(books(setting))
        feed = await stack.enter_async_context(Feed(setting))
        node = Node(home / "one", setting)
        stage = Stage(setting, [node], ledger, feed, beside, stack)
        stack.callback(lambda: [node.kill() for node in stage.nodes])
        yield stage


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_what_a_crash_leaves_behind_is_taken_up_and_nothing_is_done_twice(
    stage: Stage, cell: Cell
) -> None:
    play = {"C": killed_after_the_answer, "G": frozen, "H": failed_over}
    await play.get(cell.point, fallen)(stage, cell)
    await stage.finish()
    await judged(stage, cell)


# -- how it falls ----------------------------------------------------------------------------------
async def fallen(stage: Stage, cell: Cell) -> None:
    """It is killed at a point of its code, the second time it passes."""
    first, second, third = cell.events()
    await stage.start(f"{cell.point}:nth=2")
    await stage.deliver(first)
    await stage.quiet()
    if cell.laned and cell.point[0] > "C":
        await stage.deliver(second, third)  # the third waits behind it
    else:
        await stage.deliver(second)
    async with asyncio.timeout(10):
        while not stage.falls:
            await stage.again()
            await asyncio.sleep(0.01)
    await stage.deliver(third)


async def killed_after_the_answer(stage: Stage, cell: Cell) -> None:
    """The provider has its 200 and sends again all the same."""
    first, second, third = cell.events()
    await stage.start()
    await stage.deliver(first)
    await stage.quiet()
    await stage.deliver(second)
    stage.node.kill()
    await stage.deliver(second)
    await stage.deliver(third)


async def frozen(stage: Stage, cell: Cell) -> None:
    """It freezes with an answer in hand, past its lease, then goes on as if nothing had been.

    On PostgreSQL another hub has taken its job over; a file has no other hub.
    """
    await stage.start("E_after:stop:nth=2")
    await stage.deliver(*cell.events())
    async with asyncio.timeout(10):
        while not stage.node.stopped():
            await asyncio.sleep(0.01)
    if stage.on_file:
        await asyncio.sleep(1.5)
    else:
        await taken_over(stage)
    stage.node.go_on()


async def taken_over(stage: Stage) -> None:
    """Have another hub end every job that may be ended by a hub."""
    stage.nodes.append(Node(stage.node.home.parent / "two", stage.setting))
    await asyncio.to_thread(stage.nodes[1].start)
    async with asyncio.timeout(30):
        while (states := await stage.books.states())["l"] + states["r"]:
            await asyncio.sleep(0.02)


async def failed_over(stage: Stage, cell: Cell) -> None:
    """The store is lost in the midst of a commit: its answer, or the machine under it."""
    first, second, third = cell.events()
    if stage.on_file:
        await machine_lost(stage, first, second)
    else:
        await commit_unanswered(stage, first, second)
    await stage.deliver(second)
    await stage.deliver(third)


async def machine_lost(stage: Stage, first: Item, second: Item) -> None:
    """Go on from what the disk held at one moment, as another machine would."""
    file, image = stage.node.home / "own.db", stage.node.home / "image.db"
    await stage.move_to(f"sqlite:///{file}")
    await stage.start()
    await stage.deliver(first)
    await stage.quiet()
    await stage.deliver(second)
    stage.node.freeze()
    shutil.copy(file, image)
    shutil.copy(f"{file}-wal", f"{image}-wal")
    stage.node.kill()
    await stage.move_to(f"sqlite:///{image}")
    await stage.start()


async def commit_unanswered(stage: Stage, first: Item, second: Item) -> None:
    """Lose the answers to COMMIT while an event comes in: the provider gets a 503."""
    url = make_url(stage.setting.store)
    proxy = await stage.exits.enter_async_context(Proxy.to_store(url))
    through = proxy.instead(url).render_as_string(hide_password=False)
    await stage.move_to(through)
    await stage.start()
    await stage.deliver(first)
    await stage.quiet()
    lost = proxy.set("lost_answer", asked=b"COMMIT")
    assert await stage.feed.post(stage.node.url, second) == 503
    assert lost.played
    proxy.toxics.clear()


# -- the judge -------------------------------------------------------------------------------------
async def judged(stage: Stage, cell: Cell) -> None:
    ids = [event["id"] for event in cell.events()]
    effects, calls = stage.ledger.effects(), stage.ledger.calls()
    again = CALLS.get(cell.point, (1, 1))[cell.unsafe]
    if cell.unsafe:
        assert max(calls.values()) == 1, calls
        assert calls == effects
        assert {one for one in ids if not effects[one]} <= stage.unsure
    else:
        assert effects == Counter(ids)
        assert len({call.key for call in stage.ledger.raw}) == 3
    if cell.point not in ANYWHERE:
        # Committed is claimable: where the crash was late, nobody knows whether it was sent.
        claimed = cell.point == "B_after" and ids[1] in stage.unsure
        said = "".join(node.said() for node in stage.nodes)
        assert [calls[one] for one in ids] == [1, 0 if claimed else again, 1], said
    if cell.point not in ANYWHERE:
        assert len(stage.unsure) == (claimed or (cell.unsafe and cell.point in UNKNOWN))
    if cell.laned:  # what has no lane may be in flight together
        assert stage.ledger.order_breaks() == []
        assert stage.ledger.overlaps == 0
    assert await stage.books.ended(ids) == [(one, "done") for one in ids]
    assert await stage.books.completed_twice() == []
    assert await stage.books.broken() == []
    assert "Traceback" not in "".join(node.said() for node in stage.nodes)
