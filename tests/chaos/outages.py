"""PostgreSQL fails under load, in five ways, and no hub is restarted; a table says how it went.

    python -m tests.chaos.outages --rate 60 --seed 1

Events come in at a steady rate, whatever happens; those that find no hub are sent again. After each
fault the hubs must do as much as before it within ten seconds, what piled up among it.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url

from tests.chaos.conftest import fresh_database
from tests.chaos.load import Yard, item, yard
from tests.chaos.sentence import sentence
from tests.e2e.judge import Verdict
from tests.postgres import SETTINGS, Postgres, own_server

LANES = 60
SLOTS = 64  # connections the server has: two hubs want fifty of them
OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND NOT pid = ANY($1::int[])"""
EVERY_JOB = "SELECT 1 FROM jobs FOR UPDATE"


@dataclass
class Cell:
    """How one fault went; rates are effects at the provider in a second."""

    fault: str
    before: float
    during: float
    after: float
    drained: float

    def __str__(self) -> str:
        share = 100 * self.after / self.before if self.before else 0
        return (
            f"{self.fault:24} {self.before:7.1f} {self.during:7.1f} {self.after:7.1f}"
            f" {share:5.0f} % {self.drained:7.1f} s"
        )


HEAD = f"{'fault':24} {'before':>7} {'during':>7} {'after':>7} {'share':>7} {'drained':>9}"


@dataclass
class Bench:
    """Two hubs under a steady load, and the server whose faults they bear."""

    yard: Yard
    server: Postgres
    url: URL
    rate: float
    span: float
    within: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)

    # -- the load ----------------------------------------------------------------------------------
    async def load(self) -> None:
        """Send to every lane at its share of the rate; what was held up comes together."""
        async with asyncio.TaskGroup() as group:
            for lane in range(LANES):
                group.create_task(self._lane(lane))

    async def _lane(self, lane: int) -> None:
        sent, phase = 0, lane / LANES
        while not self.over.is_set():
            due = int((time.monotonic() - self.began) * self.rate / LANES + phase)
            if due > sent:
                some = [item(f"lane-{lane}", n) for n in range(sent, min(due, sent + 50))]
                await self.yard.feed.deliver(self.yard.pick, *some, within=120)
                self.yard.taken += some
                sent += len(some)
            await asyncio.sleep(0.05)

    def owed(self) -> int:
        """Count what was due by now and is not done."""
        return int((time.monotonic() - self.began) * self.rate) - self.done()

    def done(self) -> int:
        return len(self.yard.ledger.state.ledger)

    async def per_second(self, seconds: float) -> float:
        before, began = self.done(), time.monotonic()
        await asyncio.sleep(seconds)
        return (self.done() - before) / (time.monotonic() - began)

    # -- one fault ---------------------------------------------------------------------------------
    async def cell(self, name: str, play: Callable[["Bench"], Awaitable[None]]) -> Cell:
        """Measure, play the fault, measure again."""
        await self.caught_up(60)
        before = await self.per_second(self.span)
        begun, count = time.monotonic(), self.done()
        await play(self)
        during = (self.done() - count) / max(time.monotonic() - begun, 0.001)
        ended = time.monotonic()
        after = await self.per_second(self.within)
        await self.caught_up(120)
        return Cell(name, before, during, after, time.monotonic() - ended)

    async def caught_up(self, within: float) -> None:
        """Wait until no more is owed than what is just under way."""
        async with asyncio.timeout(within):
            while self.owed() > self.rate:
                await asyncio.sleep(0.1)


# -- the faults ------------------------------------------------------------------------------------
async def restarted(bench: Bench) -> None:
    """The server crashes and is away for two seconds."""

    def crash() -> None:
        with bench.server.away("immediate"):
            time.sleep(2)

    await asyncio.to_thread(crash)


async def backends_killed(bench: Bench) -> None:
    """Every connection is ended, five times a second, for four seconds."""
    async with bench.server.connect(bench.url) as beside:
        for _ in range(20):
            await beside.fetch(OTHERS, [beside.get_server_pid()])
            await asyncio.sleep(0.2)


async def pool_exhausted(bench: Bench) -> None:
    """Others hold every connection the server has, for four seconds."""
    dsn = bench.url.set(drivername="postgresql").render_as_string(hide_password=False)
    held: list[asyncpg.Connection] = []
    try:
        held.append(await asyncpg.connect(dsn))
        end = time.monotonic() + 4
        while time.monotonic() < end:
            with suppress(asyncpg.PostgresError, OSError):
                held.append(await asyncpg.connect(dsn, timeout=1))
                continue
            await held[0].fetch(OTHERS, [one.get_server_pid() for one in held])
            await asyncio.sleep(0.05)
        assert len(held) > SLOTS // 2, len(held)
    finally:
        for one in held:
            one.terminate()


async def idle_in_transaction(bench: Bench) -> None:
    """Somebody locks every job there is, and does nothing, for five seconds."""
    async with bench.server.connect(bench.url) as idle, idle.transaction():
        await idle.fetch(EVERY_JOB)
        await asyncio.sleep(5)


async def node_killed(bench: Bench) -> None:
    """One hub of two is killed and does not come back while we look."""
    bench.yard.nodes[1].kill()


FAULTS = {
    "server restarted": restarted,
    "backends killed": backends_killed,
    "connections exhausted": pool_exhausted,
    "idle in transaction": idle_in_transaction,
    "hub killed": node_killed,
}


# -- all of it -------------------------------------------------------------------------------------
async def play(
    home: Path,
    server: Postgres,
    *,
    rate: float,
    seed: int,
    span: float = 8.0,
    within: float = 10.0,
    faults: tuple[str, ...] = tuple(FAULTS),
    show: Callable[[str], object] = lambda _: None,
) -> tuple[list[Cell], Verdict]:
    """Play the faults one after another; the last may end a hub.

    Args:
        span: Seconds over which the rate before a fault is measured.
        within: Seconds after its end over which it is measured again.
    """
    store = await fresh_database(server)
    show(HEAD)
    async with AsyncExitStack() as stack:
        its = await stack.enter_async_context(
            yard(home, store, nodes=2, seed=seed, lease="3s", timeout="2s", slots=16)
        )
        for node in its.nodes:
            await asyncio.to_thread(node.start)
        first = its.nodes[0].pid
        bench = Bench(its, server, make_url(store), rate, span, within)
        loading = asyncio.create_task(bench.load())
        cells = []
        try:
            for name in faults:
                cells.append(await bench.cell(name, FAULTS[name]))
                show(str(cells[-1]))
        finally:
            bench.over.set()
            await asyncio.gather(loading, return_exceptions=not cells)
        await its.drained(120)
        its.nodes = [node for node in its.nodes if node.runs()]
        verdict = await sentence(its)
        verdict.same("the hub that was never restarted", its.nodes[0].pid, first)
        return cells, verdict


def main() -> int:
    """Play it from the command line: exit 0 when every rate came back and nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outages")
    parser.add_argument("--rate", type=float, default=60, help="events in a second")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()

    def show(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    server = own_server((*SETTINGS, f"max_connections = {SLOTS}"))
    try:
        with tempfile.TemporaryDirectory() as home:
            cells, verdict = asyncio.run(
                play(Path(home), server, rate=asked.rate, seed=asked.seed, show=show)
            )
    finally:
        server.stop()
    show(f"\n{verdict}\nseed {asked.seed}")
    return 0 if verdict.good and all(cell.after >= cell.before for cell in cells) else 1


if __name__ == "__main__":
    sys.exit(main())
