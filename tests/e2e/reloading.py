"""Many reloads under load, every third file broken: no request fails, no job is of two versions.

    python -m tests.e2e.reloading --reloads 100 --seed 1

Each version of the file has its own number in a mapping, in two routes' keys and in a connector's
settings, so that a job, an event's jobs, or a connection that mixes two of them shows.
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import select

from hub import config as configuration
from hub import log
from hub.app import Hub
from hub.demo.ground import prepare
from hub.doubles import application, double
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store.keys import create_key
from store.schema import job_history, jobs
from tests.e2e.stage import free_port

MAPPING = """\
mapping: tick-to-segment
from: till.ticked
to: segment.track
map:
  userId: u
  event: ticked
  timestamp: "{{{{ event.occurred_at }}}}"
  properties: {{ version: "{n}", ident: "{{{{ data.id }}}}" }}
"""
ROUTES = """\
events: {{ till.ticked: {{ schema: any.json }} }}
routes:
  - {{ name: tick-one, on: till.ticked, do: segment.track, map: tick-to-segment,
      key: "one:{n}:{{{{ data.id }}}}" }}
  - {{ name: tick-two, on: till.ticked, do: segment.track, map: tick-to-segment,
      key: "two:{n}:{{{{ data.id }}}}" }}
"""
UNKNOWN_NAME = """\
mapping: tick-to-segment
from: till.ticked
to: segment.track
map: { userId: "{{ nobody.id }}", event: x, properties: {} }
"""
BROKEN = (
    ("routes.d/tick.yaml", "routes: [ {"),
    ("routes.d/tick.yaml", "routes: [{ name: tick-one, on: shop.order.payed, do: segment.trak }]"),
    ("mappings.d/tick.yaml", UNKNOWN_NAME),
)


@dataclass(slots=True)
class Tally:
    """What came of it."""

    reloads: int = 0
    refused: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    jobs: int = 0
    states: Counter[str] = field(default_factory=Counter)
    mixed: list[str] = field(default_factory=list)
    versions: int = 0
    told_twice: int = 0
    untold: int = 0

    @property
    def failed(self) -> int:
        return sum(n for status, n in self.answers.items() if not 200 <= status < 300)


class Files:
    """The configuration, written anew for each version."""

    def __init__(self, home: Path, base: str) -> None:
        self.home = home
        ground = prepare(home, listen=f"127.0.0.1:{free_port()}", base=base)
        self.config, self.listen = ground.config, ground.listen
        for folder in ("routes.d", "mappings.d"):
            (home / folder).mkdir()
            (home / "routes.d/any.json").write_text('{"type": "object"}')
        text = self.config.read_text()
        self._text = text.replace(
            "include: [", 'include: ["routes.d/*.yaml", "mappings.d/*.yaml", '
        )
        self.write(0)

    def write(self, n: int) -> None:
        """Write a good version."""
        timeout = f"type: segment\n    timeout: {{ total: {10 + n % 40}s }}"
        self.config.write_text(self._text.replace("type: segment", timeout))
        (self.home / "routes.d/tick.yaml").write_text(ROUTES.format(n=n))
        (self.home / "mappings.d/tick.yaml").write_text(MAPPING.format(n=n))

    def spoil(self, n: int) -> None:
        """Break the version that lies there."""
        name, text = BROKEN[n % len(BROKEN)]
        (self.home / name).write_text(text)

    def read(self) -> configuration.Config:
        return configuration.load(self.config, env={}, shop=VOCABULARY)


async def play(home: Path, *, reloads: int, seed: int = 0, callers: int = 4) -> Tally:
    """Reload so many times while callers send events without a pause."""
    tally, over = Tally(), asyncio.Event()
    segment = double("segment")
    runner = web.AppRunner(application({"segment": segment}), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    files = Files(home, f"http://{host}:{port}")
    hub = Hub(files.read(), read=files.read)
    try:
        async with running(hub), aiohttp.ClientSession() as http:
            key = (await hub.store.write(lambda tx: create_key(tx, "admin", "load")))["key"]
            http.headers["Authorization"] = f"Bearer {key}"
            base = f"http://{files.listen}"
            sending = [
                asyncio.create_task(_send(http, base, f"c{n}", tally, over)) for n in range(callers)
            ]
            versions = await _reload(http, base, hub, files, tally, reloads, random.Random(seed))
            over.set()
            sent = [ident for idents in await asyncio.gather(*sending) for ident in idents]
            await _settled(hub)
            await _judge(hub, versions, tally)
        _tell(segment, sent, tally)
    finally:
        await runner.cleanup()
    return tally


async def _send(
    http: aiohttp.ClientSession, base: str, name: str, tally: Tally, over: asyncio.Event
) -> list[str]:
    sent = []
    while not over.is_set():
        ident = f"{name}-{len(sent)}"
        body = {"type": "till.ticked", "data": {"id": ident}}
        headers = {"Idempotency-Key": ident}
        async with http.post(f"{base}/v1/events", json=body, headers=headers) as answer:
            await answer.read()
            tally.answers[answer.status] += 1
        sent.append(ident)
        await asyncio.sleep(0.01)
    return sent


async def _reload(
    http: aiohttp.ClientSession,
    base: str,
    hub: Hub,
    files: Files,
    tally: Tally,
    reloads: int,
    chance: random.Random,
) -> dict[str, int]:
    """Reload; give the version behind each configuration hash that ever ran."""
    versions = {hub.config.hash: 0}
    for n in range(1, reloads + 1):
        files.write(n)
        broken = n % 3 == 0
        if broken:
            files.spoil(n // 3)
        before = hub.config.hash
        async with http.post(f"{base}/v1/config/reload", json={}) as answer:
            told = await answer.json(content_type=None)
        if broken:
            assert answer.status == 400, (answer.status, told)
            assert hub.config.hash == before
            assert hub.reloads.rejected is not None
            tally.refused += 1
        else:
            assert answer.status == 200, (answer.status, told)
            versions[hub.config.hash] = n
        tally.reloads += 1
        await asyncio.sleep(chance.random() * 0.05)
    return versions


async def _settled(hub: Hub) -> None:
    async with asyncio.timeout(120):
        while True:
            async with hub.store.read() as connection:
                if not (await connection.execute(select(jobs.c.id).limit(1))).first():
                    return
            await asyncio.sleep(0.1)


async def _judge(hub: Hub, versions: dict[str, int], tally: Tally) -> None:
    """Hold each job's payload and key against the configuration that it says wrote it."""

    def rows(tx: Any) -> list[tuple[Any, dict[str, Any]]]:
        found = tx.rows(select(job_history).where(job_history.c.route.like("tick-%")))
        return [(row, json.loads(tx.unseal(row.payload, "jobs.payload", row.uid))) for row in found]

    of_event: dict[str, set[str]] = defaultdict(set)
    for row, payload in await hub.store.look(rows):
        of_job = {payload["properties"]["version"], row.key.split(":")[1]}
        of_job.add(str(versions[row.config_hash]))
        of_event[row.event_id] |= of_job
        tally.jobs += 1
        tally.states[row.state] += 1
    tally.mixed = [event for event, found in of_event.items() if len(found) > 1]
    tally.versions = len({v for found in of_event.values() for v in found})


def _tell(segment: Any, sent: list[str], tally: Tally) -> None:
    told = Counter(
        effect.data["properties"]["ident"]
        for effect in segment.state.ledger
        if effect.kind == "track"
    )
    tally.untold = sum(1 for ident in sent if told[ident] < 2)
    tally.told_twice = sum(1 for ident in sent if told[ident] > 2)


def main() -> None:
    """Play it and print what came of it."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--reloads", type=int, default=100)
    ask.add_argument("--seed", type=int, default=1)
    wanted = ask.parse_args()
    log.setup(text=False)
    with tempfile.TemporaryDirectory() as home:
        tally = asyncio.run(play(Path(home), reloads=wanted.reloads, seed=wanted.seed))
    print(tally, "failed requests:", tally.failed)  # noqa: T201 -- a command for people
    raise SystemExit(bool(tally.failed or tally.mixed or tally.untold or tally.told_twice))


if __name__ == "__main__":
    main()
