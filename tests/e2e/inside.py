"""A hub and the doubles in this process, on a clock that may be told: for what takes hours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from sqlalchemy import func, select

from hub import config as configuration
from hub.app import Hub
from hub.clock import Clock, ManualClock
from hub.demo.ground import prepare
from hub.doubles import application, double
from hub.errors import NotStored
from hub.sandbox import Double
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store.keys import create_key
from store.schema import jobs
from tests.e2e.shop import Shop
from tests.e2e.stage import free_port

PROVIDERS = ("stripe", "hubspot", "sendgrid", "segment")
FOLLOWED = "type: stripe\n    reconcile: { every: 15m }"


@dataclass
class House:
    """A running hub, a shop front that speaks to it, and the providers' doubles."""

    hub: Hub
    shop: Shop
    doubles: dict[str, Double]
    config: Path
    clock: Clock

    async def pass_by(self, seconds: int, *, step: int = 1) -> None:
        """Let time pass step by step; none passes while anybody calls or is called.

        Who waits for a turn waits for time to pass.
        """
        assert isinstance(self.clock, ManualClock)
        for _ in range(0, seconds, step):
            self.clock.advance(step)
            await self.rest()

    async def quiet(self) -> None:
        """Let time pass until no job and no webhook has been left for a while."""
        idle = 0
        while idle < 5:
            await self.pass_by(5, step=5)
            live = await self.count(jobs, jobs.c.state.in_(("r", "l", "w")))
            sending = any(double.sending for double in self.doubles.values())
            idle = 0 if live or sending else idle + 1

    async def count(self, table: Any, *where: Any) -> int:
        """Count the hub's rows, past its code."""
        async with self.hub.store.read() as connection:
            query = select(func.count()).select_from(table).where(*where)
            return int(await connection.scalar(query) or 0)

    async def rest(self) -> None:
        """Wait until nothing is in flight."""
        idle = 0
        while idle < 3:
            await asyncio.sleep(0.001)
            reads = self.hub.fitted.puller.reading or self.hub.fitted.syncer.running
            busy = self.calling() or reads
            idle = 0 if busy or (idle == 2 and await self._leased() > self._waiting()) else idle + 1

    def calling(self) -> int:
        """Say how many jobs are under way beside those that wait for their turn."""
        return len(self.hub.worker.flying()) - self._waiting()

    def _waiting(self) -> int:
        return sum(gate.waiting() for gate in self.hub.worker.gates.values())

    async def _leased(self) -> int:
        """Count what is committed as leased here, of which an attempt may not have begun yet."""
        mine = jobs.c.lease_owner == self.hub.worker.node
        try:
            return await self.count(jobs, jobs.c.state == "l", mine)
        except NotStored:  # the store is away, so nothing begins
            return 0


@asynccontextmanager
async def inside(
    home: Path,
    *,
    clock: Clock | None = None,
    store: str | None = None,
    before: Callable[[dict[str, Double]], None] | None = None,
    more: str = "",
    edited: Callable[[str], str] = str,
    told: bool = True,
) -> AsyncIterator[House]:
    """Start doubles and hub; it pulls from Stripe every quarter of an hour.

    Args:
        store: The URL of another store than a SQLite file.
        before: What happens at the doubles before there is a hub.
        more: What else stands in the configuration.
        edited: Changes the text of the configuration.
        told: The doubles know where to send their webhooks.
    """
    doubles = {kind: double(kind, clock=clock) for kind in PROVIDERS}
    if before is not None:
        before(doubles)
    async with _served(application(doubles)) as base:
        ground = prepare(home, listen=f"127.0.0.1:{free_port()}", base=base)
        text = ground.config.read_text().replace("type: stripe", FOLLOWED)
        ground.config.write_text(edited(text) + more)
        env = {"HUB_STORE_URL": store} if store else {}

        def read() -> configuration.Config:
            return configuration.load(ground.config, env=env, shop=VOCABULARY)

        config = read()
        for kind, secret in ground.signing.items() if told else ():
            doubles[kind].send_to(ground.webhook_url(kind), secret)
        async with running(Hub(config, clock=clock, read=read)) as hub:
            key = await hub.store.write(lambda tx: create_key(tx, "admin", "test"))
            spoken: Any = SimpleNamespace(
                sandbox=SimpleNamespace(base=base), url=f"http://{ground.listen}", key=key["key"]
            )
            async with Shop(spoken) as shop:
                await shop.stock("tee")
                yield House(hub, shop, doubles, ground.config, hub.clock)


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
