"""Jobs in lanes while hubs are killed at random moments; the double's own ledger is the judge.

    python -m tests.chaos.kill_loop --nodes 3 --jobs 50000 --lanes 400 --kills 50 --seed 1
    python -m tests.chaos.kill_loop --store sqlite

Three hubs on one PostgreSQL behind a balancer, or one on a file. Some hubs are frozen past their
leases instead of killed, where another can take their jobs over.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.conftest import fresh_database
from tests.chaos.load import Yard, yard
from tests.chaos.nodes import Node
from tests.chaos.sentence import sentence
from tests.e2e.judge import Verdict
from tests.postgres import own_server

LEASE = 3.0


@dataclass(slots=True)
class Loop:
    """One run: so many kills, spread over so many jobs."""

    yard: Yard
    jobs: int
    lanes: int
    kills: int
    killed: int = 0
    frozen: int = 0

    async def run(self, show: Callable[[str], None]) -> None:
        """Send everything, kill meanwhile, and wait until nothing is left to do."""
        began = time.monotonic()
        showing = asyncio.create_task(self._show(show, began))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._kill())
                group.create_task(self.yard.fill(self.lanes, self.jobs))
            await self.yard.drained(60 + self.jobs / 50)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    async def _kill(self) -> None:
        chance = random.Random(self.yard.chance.random())
        for turn in range(self.kills):
            while len(self.yard.ledger.state.ledger) < (turn + 0.5) * self.jobs / self.kills * 0.95:
                await asyncio.sleep(0.02)
            await asyncio.sleep(chance.uniform(0, 0.2))
            node = chance.choice(self.yard.nodes)
            if len(self.yard.nodes) > 1 and turn % 10 == 9:
                await self._freeze(node)
            node.kill()
            self.killed += 1
            await asyncio.to_thread(node.start)

    async def _freeze(self, node: Node) -> None:
        """Let it sleep past its leases, wake and work on for a moment."""
        node.freeze()
        await asyncio.sleep(LEASE * 2)
        node.go_on()
        self.frozen += 1
        await asyncio.sleep(0.5)

    async def _show(self, show: Callable[[str], None], began: float) -> None:
        while True:
            done = len(self.yard.ledger.state.ledger)
            seconds = time.monotonic() - began
            show(
                f"{seconds:4.0f} s  effects {done}/{self.jobs}  {done / max(seconds, 1):.0f}/s"
                f"  kills {self.killed}/{self.kills}"
            )
            await asyncio.sleep(1)


async def play(
    home: Path,
    store: str,
    *,
    nodes: int,
    jobs: int,
    lanes: int,
    kills: int,
    seed: int,
    show: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Run the loop on an empty store and judge what is left."""
    lease = f"{LEASE:g}s"
    async with yard(
        home, store, nodes=nodes, seed=seed, lease=lease, timeout="2s", slots=16
    ) as its:
        async with asyncio.TaskGroup() as group:
            for node in its.nodes:
                group.create_task(asyncio.to_thread(node.start))
        loop = Loop(its, jobs, lanes, kills)
        await loop.run(show)
        verdict = await sentence(its)
        verdict.counted |= {"kills": loop.killed, "hubs frozen past their leases": loop.frozen}
        verdict.same("events", len(its.taken) + len(its.noted), jobs)
        return verdict


def main() -> int:
    """Play it from the command line: exit 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill_loop")
    parser.add_argument("--store", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--nodes", type=int, default=3, help="hubs on PostgreSQL; a file has one")
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--lanes", type=int, default=400)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    live = sys.stdout.isatty()

    def show(text: str) -> None:
        sys.stdout.write(f"\r\x1b[K{text}" if live else f"{text}\n")
        sys.stdout.flush()

    sizes = {name: getattr(asked, name) for name in ("jobs", "lanes", "kills", "seed")}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        server = own_server() if asked.store == "postgres" else None
        try:
            store = (
                asyncio.run(fresh_database(server)) if server else f"sqlite:///{home}/hub.db"
            )  # fmt: skip
            nodes = asked.nodes if server else 1
            verdict = asyncio.run(play(Path(home), store, nodes=nodes, show=show, **sizes))
        finally:
            if server:
                server.stop()
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{verdict}\nseed {asked.seed}, {asked.store}, {seconds:.0f} s\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
