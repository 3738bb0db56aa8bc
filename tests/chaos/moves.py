"""A shop moved from its file to PostgreSQL amid its work, and the move itself killed on the way.

    python -m tests.chaos.moves --jobs 20000 --lanes 400 --kills 4 --seed 1

A hub is killed while thousands of jobs wait in lanes; `hub store copy` takes them over, is killed
with SIGKILL again and again, and goes on; then a hub serves the copy until nothing is left to do.
The provider's own ledger is the judge.
"""

import argparse
import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub import crash
from tests.chaos.conftest import fresh_database
from tests.chaos.judge import books
from tests.chaos.load import Yard, yard
from tests.chaos.nodes import Node, Setting
from tests.chaos.sentence import sentence
from tests.e2e.judge import Verdict
from tests.e2e.stage import command, environment, run
from tests.postgres import Postgres, own_server

LIVE = "SELECT count(*) FROM jobs WHERE state IN ('w', 'r', 'l')"
LANES = "SELECT uid, lane, state, attempt FROM jobs ORDER BY id"
COPIED = "SELECT coalesce(sum(rows), 0) FROM store_copy"
GIVEN = {"alembic_version", "feed"}  # what each store has of its own


@dataclass(slots=True)
class Move:
    """One copy, started until it ends.

    Args:
        beside: A server on which to ask how far it is.
    """

    home: Path
    setting: Setting
    target: str
    beside: Postgres
    rows: int
    chance: random.Random
    killed: list[int] = field(default_factory=list)

    async def run(self, kills: int) -> str:
        """Kill it so often, then let it end; give what it said.

        First after a piece, last when all pieces are there, between these from outside.
        """
        for turn in range(kills):
            at = "M_piece" if turn == 0 else "M_before" if turn == kills - 1 else ""
            code = await asyncio.to_thread(self._cut, at) if at else await self._kill(turn, kills)
            assert code == -signal.SIGKILL, f"the copy was not killed at {at!r}: it gave {code}"
            self.killed.append(await self._copied())
        done = await asyncio.to_thread(
            run, *self._words, home=self.home, within=600, **self.setting.environment()
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _cut(self, at: str) -> int:
        """Let it end itself as a power cut would, at a piece or when all pieces are there."""
        nth = self.chance.randint(1, 4) if at == "M_piece" else 1
        told = self.setting.environment(**{crash.VARIABLE: f"{at}:nth={nth}"})
        return run(*self._words, home=self.home, within=600, **told).returncode

    async def _kill(self, turn: int, kills: int) -> int:
        """Kill it from outside, once it has copied its share."""
        share = self.rows * (turn + self.chance.random()) / kills
        going = self._going()
        while going.poll() is None and await self._copied() < share:
            await asyncio.sleep(0.002)
        going.kill()
        return await asyncio.to_thread(going.wait)

    def _going(self) -> subprocess.Popen[bytes]:
        env, nowhere = environment(self.home) | self.setting.environment(), subprocess.DEVNULL
        return subprocess.Popen(
            command(*self._words), cwd=self.home, env=env, stdout=nowhere, stderr=nowhere
        )

    async def _copied(self) -> int:
        there = "SELECT to_regclass('store_copy') IS NOT NULL"
        url = self.beside.url.set(database=self.target.rpartition("/")[2].partition("?")[0])
        async with self.beside.connect(url) as connection:
            return int(await connection.fetchval(COPIED) if await connection.fetchval(there) else 0)

    @property
    def _words(self) -> tuple[str, ...]:
        return "store", "copy", "--to", self.target, "--config", str(self.home / "config.yaml")


async def fill(place: Yard, jobs: int, lanes: int, show: Callable[[str], None]) -> int:
    """Let a hub begin on more jobs than its provider can take, then kill it; give how many live."""
    [node] = place.nodes
    place.ledger.pause = 0.3
    await asyncio.to_thread(node.start)
    filling = asyncio.create_task(place.fill(lanes, jobs))
    while not filling.done():
        show(f"events taken {len(place.taken) + len(place.noted)}/{jobs}")
        await asyncio.wait([filling], timeout=1)
    await filling
    node.kill()
    place.ledger.pause = 0
    [(live,)] = await place.books.rows(LIVE)
    return int(live)


async def play(
    home: Path, server: Postgres, *, jobs: int, lanes: int, kills: int, seed: int,
    show: Callable[[str], None] = lambda _: None,
) -> Verdict:  # fmt: skip
    """Play one move and judge what is left."""
    source, target = f"sqlite:///{home}/hub.db", await fresh_database(server)
    async with yard(home, source, nodes=1, seed=seed, slots=16) as its:
        live = await fill(its, jobs, lanes, show)
        [node] = its.nodes
        before, order = _counted(home / "hub.db"), await its.books.rows(LANES)
        move = Move(node.home, node.setting, target, server, sum(before.values()), its.chance)
        show(f"{live} live jobs; copying {move.rows} rows")
        began = time.monotonic()
        said = await move.run(kills)
        copied = time.monotonic() - began
        setting = replace(node.setting, store=target)
        async with books(setting) as beside:
            after = {name: (await beside.rows(f'SELECT count(*) FROM "{name}"'))[0][0]
                     for name in before}  # fmt: skip
            verdict = Verdict()
            verdict.same("rows of each table", after, before)
            verdict.same("jobs and their lanes", await beside.rows(LANES), order)
            verdict.none("hub verify on the copy", await beside.broken())
            verdict.same("rows told", int(said.split()[0]), sum(before.values()))
            new = Node(home / "new", setting)
            its.nodes, its.books = [new], beside
            try:
                await _finish(its, new, show)
                told = await sentence(its)
            finally:
                new.kill()
        told.faults += verdict.faults
        told.counted |= {
            "jobs alive when the hub was killed": live,
            "rows copied": sum(before.values()),
            "times the copy was killed": len(move.killed),
            "seconds in the copy, its starts among them": round(copied),
        }
        told.counted |= {f"rows there at kill {n}": r for n, r in enumerate(move.killed, 1)}
        return told


async def _finish(its: Yard, hub: Node, show: Callable[[str], None]) -> None:
    """Let a hub do what is left on the copy."""
    await asyncio.to_thread(hub.start)
    draining = asyncio.create_task(its.drained(600))
    while not draining.done():
        show(f"effects {len(its.ledger.state.ledger)}")
        await asyncio.wait([draining], timeout=1)
    await draining


def _counted(file: Path) -> dict[str, int]:
    """Count the rows of each table, past all the hub's code."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names
            if name not in GIVEN and not name.startswith("sqlite")
        }


def main() -> int:
    """Play it from the command line: exit 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.moves")
    parser.add_argument("--jobs", type=int, default=23_000, help="so that 20,000 are alive")
    parser.add_argument("--lanes", type=int, default=400)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    live = sys.stdout.isatty()

    def show(text: str) -> None:
        sys.stdout.write(f"\r\x1b[K{text}" if live else f"{text}\n")
        sys.stdout.flush()

    server = own_server()
    try:
        with tempfile.TemporaryDirectory() as home:
            verdict = asyncio.run(play(Path(home), server, show=show, **vars(asked)))
    finally:
        server.stop()
    sys.stdout.write(f"\n{verdict}\nseed {asked.seed}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
