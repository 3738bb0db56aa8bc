"""A store sealed with a new key beside a hub that is read and written, and the command killed.

    python -m tests.chaos.rotation --rows 100000 --kills 2 --store sqlite

Half the rows are payloads of jobs, half are data of events. While `hub secrets rotate` runs, is
killed with SIGKILL and runs again, the hub's feed and its jobs are read over HTTP and its file or
database is written by another process: every single answer is counted.
"""

import argparse
import asyncio
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from sqlalchemy import text

from hub import crash
from hub.clock import SystemClock
from hub.errors import ConfigError
from hub.ids import new_id
from hub.model import Event, NewJob
from hub.secrets import Secret
from store.crypto import Cipher, new_key
from store.keys import create_key
from store.rotation import MOST
from store.store import Store
from store.tx import Tx
from tests.chaos.conftest import fresh_database
from tests.chaos.nodes import Node, Setting
from tests.e2e.judge import Verdict
from tests.e2e.stage import run
from tests.postgres import own_server

READERS = 4
NOBODY = "nobody"  # an account no hub has: its jobs wait
LEFT = "SELECT count(*) FROM {table} WHERE substr({column}, 1, 1) = :old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys(Setting):
    """A stage whose store knows two keys: `key` seals, the old one still opens."""

    old: str = field(default_factory=new_key)

    def _config(self) -> str:
        both = '"${env:HUB_KEY}", "${env:HUB_KEY_OLD}"]'
        return Setting._config(self).replace('"${env:HUB_KEY}"]', both)

    def environment(self, **more: str) -> dict[str, str]:
        return Setting.environment(self, **{"HUB_KEY_OLD": self.old} | more)


@dataclass(slots=True)
class Reads:
    """Readers of one hub, each of which asks again as soon as it was answered."""

    url: str
    key: str
    jobs: list[str]
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    going: bool = True

    async def forever(self, chance: random.Random) -> None:
        """Read the feed page by page, and jobs with their payloads between."""
        bearer = {"Authorization": f"Bearer {self.key}"}
        async with ClientSession(self.url, headers=bearer) as session:
            after = None
            while self.going:
                more = {"after": after} if after else {}
                page = await self._ask(session, "/v1/events", {"limit": "50", **more})
                after = page.get("next") if page else None
                await self._ask(session, f"/v1/jobs/{chance.choice(self.jobs)}", {})

    async def _ask(
        self, session: ClientSession, path: str, query: dict[str, str]
    ) -> dict[str, Any] | None:
        began = time.monotonic()
        async with session.get(path, params=query) as answer:
            found = await answer.json() if answer.status == 200 else None
            self.answers["ok" if found else f"{answer.status}: {await answer.text()}"] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return found


def two_keys() -> tuple[str, str]:
    """Make keys that can be told apart: one pair in 256 cannot."""
    while True:
        keys = new_key(), new_key()
        try:
            Cipher([Secret(key, "key") for key in keys])
        except ConfigError:
            continue
        return keys


async def fill(store: Store, rows: int) -> tuple[str, list[str]]:
    """Write events and jobs, half of each, sealed with the store's only key."""
    uids: list[str] = []

    def write(tx: Tx, count: int) -> None:
        for n in range(count):
            tx.emit(Event(type="erp.note", at=tx.now, data={"n": n, "text": "x" * 200}))
            uids.append(new_id("job", tx.now))
            tx.enqueue(NewJob(
                uid=uids[-1], connector=NOBODY, account=NOBODY, action="book", key=uids[-1],
                effect="upsert", payload=b'{"text": "%s"}' % (b"y" * 200), due_at=tx.now,
            ))  # fmt: skip

    for start in range(0, rows // 2, 500):
        count = min(500, rows // 2 - start)
        await store.write(lambda tx, count=count: write(tx, count))
    made = await store.write(lambda tx: create_key(tx, "admin"))
    return made["key"], uids


async def left(store: Store, old: str) -> int:
    """Count what is still sealed with the old key."""
    those = {"old": Cipher([Secret(old, "old")]).first}
    async with store.read() as connection:
        counts = [
            (
                await connection.execute(text(LEFT.format(table=table, column=column)), those)
            ).scalar()
            for table, column in (("events", "data"), ("jobs", "payload"))
        ]
    return sum(int(count or 0) for count in counts)


async def play(home: Path, url: str, *, rows: int, kills: int, seed: int) -> Verdict:
    """Rotate once beside a hub, killed so often on the way, and judge what was answered."""
    new, old = two_keys()
    chance, setting = random.Random(seed), Keys(
        store=url, double="http://127.0.0.1:9", key=new, old=old
    )  # fmt: skip
    store = await Store.open(url, keys=[Secret(old, "old")], clock=SystemClock(), served=True)
    key, uids = await fill(store, rows)
    await store.close()
    node, words = Node(home, setting), ("secrets", "rotate", "--config", str(home / "config.yaml"))
    verdict = Verdict()
    await asyncio.to_thread(node.start)
    beside = await Store.open(url, keys=[Secret(new, "new"), Secret(old, "old")],
                              clock=SystemClock())  # fmt: skip
    reads = Reads(node.url, key, uids)
    readers = [asyncio.create_task(reads.forever(chance)) for _ in range(READERS)]
    writer = asyncio.create_task(_write(beside, reads))
    try:
        began, lefts = time.monotonic(), [await left(beside, old)]
        for kill in range(kills):
            nth = max(1, lefts[-1] // MOST // (kills - kill + 1))
            told = setting.environment(**{crash.VARIABLE: f"R_piece:nth={nth}"})
            cut = await asyncio.to_thread(run, *words, home=home, within=900, **told)
            verdict.same(f"killed the {kill + 1}. time", cut.returncode, -signal.SIGKILL)
            lefts.append(await left(beside, old))
        whole = await asyncio.to_thread(
            run, *words, home=home, within=900, **setting.environment()
        )  # fmt: skip
        took = time.monotonic() - began
        verdict.same("the last run's exit code", whole.returncode, 0)
        verdict.same("still sealed with the old key", await left(beside, old), 0)
        verdict.same("readers that ended early", sum(task.done() for task in readers), 0)
    finally:
        reads.going = False
        await asyncio.gather(*readers, writer)
        await beside.close()
        node.kill()
    verdict.same("answers", set(reads.answers), {"ok"})
    alone = await asyncio.to_thread(
        run, "verify", "--config", str(home / "config.yaml"), home=home, within=300,
        **setting.environment(HUB_KEY_OLD=new),
    )  # fmt: skip
    verdict.same("hub verify with the new key alone", alone.returncode, 0)
    verdict.counted |= {
        "rows sealed with the old key": lefts[0],
        **{f"left when killed the {n}. time": count for n, count in enumerate(lefts[1:], 1)},
        "reads answered meanwhile": reads.answers["ok"],
        "reads that failed": reads.answers.total() - reads.answers["ok"],
        "slowest read, ms": round(reads.slowest * 1000),
        "seconds in the rotation, its starts among them": round(took),
    }
    return verdict


async def _write(store: Store, reads: Reads) -> None:
    """Write beside the rotation as a hub does, some events a second."""
    for n in itertools.count():
        if not reads.going:
            return
        await store.write(lambda tx, n=n: tx.emit(Event(type="erp.note", at=tx.now, data={"n": n})))
        await asyncio.sleep(0.02)


def main() -> int:
    """Play it from the command line: exit 0 when every read was answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rotation")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    size = {"rows": asked.rows, "kills": asked.kills, "seed": asked.seed}
    server = own_server() if asked.store == "postgres" else None
    try:
        with tempfile.TemporaryDirectory() as home:
            url = f"sqlite:///{home}/hub.db"
            if server is not None:
                url = asyncio.run(fresh_database(server))
            verdict = asyncio.run(play(Path(home), url, **size))
    finally:
        if server is not None:
            server.stop()
    sys.stdout.write(f"\n{verdict}\nseed {asked.seed}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
