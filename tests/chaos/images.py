"""What a disk holds at random moments under load, opened again: is all there that was acknowledged?

    python -m tests.chaos.images --images 200

The hub is frozen, its file and its write-ahead log are copied, and it goes on. Of each image a torn
one is made too, as a power cut leaves it: of the log only what was there at the last
acknowledgement is sure; after that comes a piece of the rest, and rubbish.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hub.clock import SystemClock
from hub.secrets import Secret
from store.store import Store
from tests.chaos.judge import Books
from tests.chaos.load import Yard, item, yard
from tests.e2e.judge import Verdict

SALT = slice(16, 24)  # of a log's header: another one, and the log was begun anew


@dataclass(slots=True)
class Acknowledged:
    """The log at the last acknowledgement: its salt and its length."""

    log: Path
    salt: bytes = b""
    length: int = 0

    def note(self) -> None:
        if self.log.exists():
            with self.log.open("rb") as file:
                self.salt = file.read(32)[SALT]
            self.length = self.log.stat().st_size


async def load(its: Yard, lane: int, over: asyncio.Event, last: Acknowledged) -> None:
    """Send without end, each event apart."""
    n = 0
    while not over.is_set():
        one = item(f"lane-{lane}", n)
        await its.feed.deliver(its.pick, one)
        last.note()
        its.taken.append(one)
        n += 1


async def take(its: Yard, file: Path, images: int, last: Acknowledged, home: Path) -> Verdict:
    """Take images, open each beside the running hub, and judge it."""
    verdict, chance = Verdict(), random.Random(its.chance.random())
    for number in range(images):
        await asyncio.sleep(chance.uniform(0.02, 0.3))
        its.nodes[0].freeze()
        told = {one["id"] for one in its.taken}
        whole, torn = home / f"whole-{number}.db", home / f"torn-{number}.db"
        for image in (whole, torn):
            shutil.copy(file, image)
            shutil.copy(last.log, f"{image}-wal")
        sure = Acknowledged(last.log, last.salt, last.length)
        its.nodes[0].go_on()
        cut(Path(f"{torn}-wal"), sure, chance)
        for image in (whole, torn):
            await opened(verdict, image, told, its.feed.setting.key)
        verdict.counted["acknowledged events at the last image"] = len(told)
    verdict.counted["images, each whole and torn"] = images
    return verdict


def cut(log: Path, sure: Acknowledged, chance: random.Random) -> None:
    """Leave of a log what is sure and a part of the rest, and write rubbish behind it."""
    raw = log.read_bytes()
    if raw[SALT] != sure.salt:
        return  # begun anew since: what is sure lies in the file
    kept = chance.randint(min(sure.length, len(raw)), len(raw))
    log.write_bytes(raw[:kept] + os.urandom(chance.randint(0, 9000)))


async def opened(verdict: Verdict, image: Path, told: set[str], key: str) -> None:
    """Open an image as a hub does that starts, and look for what was acknowledged."""
    store = await Store.open(
        f"sqlite:///{image}", keys=[Secret(key, "test")], clock=SystemClock(), served=True
    )
    try:
        beside = Books(store)
        found = {row.ext_id for row in await beside.rows("SELECT ext_id FROM events")}
        verdict.none(f"{image.name}: acknowledged, and not there", told - found)
        verdict.none(f"{image.name}: hub verify", await beside.broken())
        [row] = await beside.rows("PRAGMA integrity_check")
        verdict.same(f"{image.name}: integrity", row[0], "ok")
    finally:
        await store.close()
    for left in image.parent.glob(f"{image.name}*"):
        left.unlink()


async def play(home: Path, *, images: int, seed: int) -> Verdict:
    """Load a hub, take images meanwhile, and judge them."""
    file = home / "hub.db"
    last, over = Acknowledged(Path(f"{file}-wal")), asyncio.Event()
    async with yard(home, f"sqlite:///{file}", nodes=1, seed=seed, lease="5s") as its:
        await asyncio.to_thread(its.nodes[0].start)
        loads = [asyncio.create_task(load(its, lane, over, last)) for lane in range(12)]
        try:
            return await take(its, file, images, last, home)
        finally:
            over.set()
            await asyncio.gather(*loads)


def main(show: Callable[[str], object] = sys.stdout.write) -> int:
    """Play it from the command line: exit 0 when nothing acknowledged was missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.images")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        verdict = asyncio.run(play(Path(home), images=asked.images, seed=asked.seed))
    show(f"{verdict}\nseed {asked.seed}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
