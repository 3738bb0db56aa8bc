"""A hub between a provider that may be down and a pager that keeps what it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.model import Event
from hub.shop.vocabulary import VOCABULARY
from hub.telling import EVERY, Teller
from store import bulk, operate
from store.bulk import Jobs
from store.crypto import new_key

CONFIG = """\
version: 1
service: {{ outbound: live }}
store: {{ url: "{url}", encryption_keys: ["${{env:HUB_KEY}}"] }}
events: {{ erp.tick: {{ schema: any.json }} }}
include: [tick.yaml]
connectors:
  crm:
    type: http
    settings: {{ base_url: "{crm}", actions: {{ put: {{ path: /crm, effect: {{ upsert: n }} }} }} }}
    egress: {{ allow_private: [127.0.0.0/8] }}
    concurrency: 50
{crm_more}
  pager:
    type: http
    settings:
      base_url: "{crm}"
      actions:
        page: {{ path: /page, kind: alert, key_header: X-Key, effect: {{ deduped: 1h }} }}
    egress: {{ allow_private: [127.0.0.0/8] }}
routes:
  - {{ name: tick, on: erp.tick, do: crm.put, map: tick }}
alerts:
  channels: {{ ops: {{ via: pager, to: [ops@example.com] }} }}
  rules:
    - {{ when: [job.dead, job.uncertain, connector.held, queue.oldest, lane.blocked], to: ops }}
    - {{ when: [case.opened, config.rejected, webhook.rejected, budget.spent], to: ops }}
"""
TICK = 'mapping: tick\nfrom: erp.tick\nto: crm.put\nmap: { n: "{{ data.n }}" }\n'
NEVER_OPENS = "    breaker: { failures: 1000, within: 1ms }\n    retry: { max_attempts: 1 }"


@dataclass
class World:
    """The provider, the pager, and what they were asked."""

    down: int = 0
    pager_down: int = 0
    asked: int = 0
    pages: list[dict[str, Any]] = field(default_factory=list)

    async def crm(self, request: web.Request) -> web.Response:
        self.asked += 1
        await request.read()
        return web.json_response({}, status=self.down or 200)

    async def page(self, request: web.Request) -> web.Response:
        self.pages.append(json.loads(await request.read()))
        return web.json_response({}, status=self.pager_down or 200)


@dataclass
class Stage:
    """A hub at work in that world, its clock, and what looks after its alerts."""

    hub: Hub
    world: World
    clock: ManualClock
    teller: Teller
    emitted: int = 0

    async def emit(self, count: int, *, first: int = 0) -> None:
        """Have events happen until there were so many, a hundred in a commit."""
        for start in range(first, count, 100):
            some = range(start, min(start + 100, count))

            def work(tx: Any, some: range = some) -> None:
                for n in some:
                    tx.emit(Event(type="erp.tick", at=tx.now, data={"n": n}, connector="erp"))

            async with self._ticking():
                await self.hub.store.write(work)

        self.emitted = count

    async def emit_more(self, count: int) -> None:
        """Have more events happen, until there were so many."""
        await self.emit(count, first=self.emitted)

    async def look(self, seconds: float = EVERY) -> None:
        """Let time pass, and look at what stands."""
        self.clock.advance(seconds)
        await self.teller.once()

    async def states(self) -> dict[str, int]:
        """Count the live jobs of the crm by state."""
        found = await self.hub.store.look(
            lambda tx: tx.connection.exec_driver_sql(
                "SELECT state, count(*) FROM jobs WHERE connector = 'crm' GROUP BY state"
            ).all()
        )
        return dict(tuple(row) for row in found)

    async def until(self, met: Any, what: str, *, within: float = 60.0) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(within):
            while not await met():
                await asyncio.sleep(0.02)

    async def paged(self, count: int) -> None:
        """Wait until the pager has so many."""

        async def met() -> bool:
            return len(self.world.pages) >= count

        await self.until(met, f"{count} pages")

    async def rest(self) -> None:
        """Wait until no job is ready or under way."""

        async def met() -> bool:
            return not {"r", "l", "w"} & (await self.states()).keys()

        async with self._ticking():
            await self.until(met, "all jobs have ended", within=300)

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        """Let time pass meanwhile: failures of one instant would open a breaker."""

        async def tick() -> None:
            while True:
                self.clock.advance(0.002)
                await asyncio.sleep(0.002)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()

    async def retry_all(self) -> int:
        """Make every dead job ready again, as `hub jobs retry` does."""
        store = self.hub.store
        async with store.read() as connection:
            uids = await bulk.find(connection, Jobs(connector="crm"), states=["dead"])
        done = await bulk.each(store, uids, partial(_again, by="ops"))
        return done.count

    async def scrape(self) -> dict[tuple[str, ...], float]:
        """Give what /metrics says, by metric and the values of its labels."""
        server = TestServer(self.hub.application())
        await server.start_server()
        async with aiohttp.ClientSession() as http, http.get(server.make_url("/metrics")) as got:
            text = await got.text()
        await server.close()
        families = text_string_to_metric_families(text)
        samples = (sample for family in families for sample in family.samples)
        return {(one.name, *one.labels.values()): one.value for one in samples}


def _again(tx: Any, uid: str, *, by: str) -> None:
    operate.again(tx, uid, by=by)


@asynccontextmanager
async def stage(home: Path, url: str, *, crm_more: str = NEVER_OPENS) -> AsyncIterator[Stage]:
    """Set up all of it."""
    world, app = World(), web.Application()
    app.router.add_post("/crm", world.crm)
    app.router.add_post("/page", world.page)
    server = TestServer(app)
    await server.start_server()
    base = str(server.make_url("")).rstrip("/")
    (home / "any.json").write_text('{"type": "object"}')
    (home / "tick.yaml").write_text(TICK)
    file = home / "config.yaml"
    file.write_text(CONFIG.format(url=url, crm=base, crm_more=crm_more))
    made = configuration.load(file, env={"HUB_KEY": new_key()}, shop=VOCABULARY)
    clock = ManualClock()
    hub = Hub(made, clock=clock)
    await hub.start()
    try:
        yield Stage(hub, world, clock, hub.teller)
    finally:
        await hub.stop()
        await server.close()
