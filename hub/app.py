"""The composition root: the only module that knows every part."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from aiohttp import web

from hub import log
from hub.api.app import api_app, public_routes
from hub.api.endpoint import Api
from hub.breaker import Gate
from hub.ceiling import Ceiling
from hub.clock import Clock, SystemClock
from hub.config import Config
from hub.config.instances import ConnectorConfig
from hub.errors import ConfigError, Fault
from hub.http import Outbound
from hub.model import Event, NewJob
from hub.perform import Account
from hub.reconcile import Reconciler
from hub.routing import Router
from hub.runner import Runner
from hub.shop import Shop, rules_of
from hub.worker import Worker
from store import idempotency, sealed
from store.retention import Retention, Terms
from store.store import Store
from webhooks.receive import Door, Receiver

VERSION = "0.1.0"
KEEPALIVE = 15.0
LINGER = 2.0


class Hub:
    """A hub made of one configuration: start it, serve its application, stop it."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config, self.clock = config, clock or SystemClock()
        self.log = log.get("hub")
        self.router = Router(config.routes)
        self.outbound = Outbound(self.clock)
        self.shop = Shop(rules_of(config))
        self.draining = False
        self._duties: list[asyncio.Task[None]] = []
        self._ends = AsyncExitStack()

    # -- life --------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Open the store and the connectors, then begin to work; all of it or nothing."""
        try:
            await self._open()
            await self._begin()
        except BaseException:
            await self.stop()
            raise

    async def _open(self) -> None:
        self.store = await self._open_store()
        self._ends.push_async_callback(self.store.close)
        if (why := await self.store.look(sealed.foreign)) is not None:
            fix = "put back the key this store was sealed with"
            raise ConfigError(Fault(code="store.key", text=why, fix=fix))
        if self.store.alone:  # the calls of an earlier process, cut short
            await self.store.write(idempotency.release)
        await self.outbound.open()
        self._ends.push_async_callback(self.outbound.close)
        self.accounts = {name: self._account(c) for name, c in self.config.connectors.items()}
        for account in self.accounts.values():
            await account.connector.open()
            self._ends.push_async_callback(account.connector.close)

    async def _begin(self) -> None:
        service = self.config.service
        self.receiver = self._receiver()
        self.runner = Runner(
            self.store,
            accounts=self.accounts,
            shop=self.shop.actions,
            policy_of=lambda name: r.retry if (r := self.router.by_name.get(name or "")) else None,
            reread=self.receiver.reread,
            clock=self.clock,
            lease=service.lease,
            ceiling_of=self._ceiling_of,
        )
        self.worker = Worker(self.runner)
        self._ends.push_async_callback(self._end_duties)
        await self.worker.start()
        self._ends.push_async_callback(self.worker.stop, service.shutdown_grace)
        reconciler = Reconciler(self.runner, lambda name: self.router.by_name.get(name or ""))
        self._duties = [
            asyncio.create_task(reconciler.forever()),
            *([asyncio.create_task(self._watch_neighbours())] if self.store.alone else []),
            asyncio.create_task(self._forget_answers()),
            asyncio.create_task(self._keep_to_terms()),
        ]

    async def stop(self) -> None:
        """Let what is in flight end, then close everything."""
        self.draining = True
        await self._ends.aclose()

    async def _end_duties(self) -> None:
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)

    # -- serving -----------------------------------------------------------------------------------
    def application(self) -> web.Application:
        """Give what is served; `start` must have run."""
        app = web.Application(client_max_size=self.config.service.limits.body)
        app.add_routes(
            [
                web.post("/webhooks/{name}", self.receiver.post),
                web.get("/webhooks/{name}", self.receiver.greet),
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                *public_routes(VERSION),
            ]
        )
        api = Api(
            store=self.store,
            clock=self.clock,
            wait_for=self.worker.wait_for,
            rules=self.shop.rules,
            event_types=self.config.events,
            rewrite=self.router.job_of,
        )
        app.add_subapp("/v1", api_app(api))
        return app

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(text="draining\n", status=503)
        if not self.store.writer.alive():
            return web.Response(text="the writer has stopped\n", status=503)
        if not self.worker.alive() or any(duty.done() for duty in self._duties):
            return web.Response(text="a duty has stopped\n", status=503)
        return web.Response(text="ok\n")

    # -- parts -------------------------------------------------------------------------------------
    async def _open_store(self) -> Store:
        store = self.config.store
        return await Store.open(
            store.url,
            keys=store.encryption_keys,
            clock=self.clock,
            route=self._route,
            served=True,
        )

    def _ceiling_of(self, route: str | None, connector: str, action: str) -> Ceiling | None:
        account = self.accounts.get(connector)
        return self.router.ceiling_of(route, account.actions.get(action) if account else None)

    def _route(self, event: Event, now: datetime) -> Sequence[NewJob]:
        return self.router.jobs_for(event, now)

    def _account(self, made: ConnectorConfig) -> Account:
        client = self.outbound.client(
            made.cls,
            made.settings,
            name=made.name,
            allow_private=made.allow_private,
            connect_timeout=made.connect,
            total_timeout=made.total,
        )
        return Account(
            connector=made.cls(made.name, made.settings, client, self._webhook_url(made.name)),
            client=client,
            gate=Gate(
                made.concurrency,
                made.limits,
                paused=made.paused,
                actions=tuple(made.cls.actions()),
                reserve=made.reserve,
                breaker=made.breaker,
            ),
            policy=made.retry,
            actions=made.cls.actions(),
        )

    def _receiver(self) -> Receiver:
        limits = self.config.service.limits
        doors = {
            name: Door(self.accounts[name].connector, made.secrets, made.events)
            for name, made in self.config.connectors.items()
            if made.secrets
        }
        return Receiver(
            self.store,
            doors,
            route=self._route,
            clock=self.clock,
            cap=limits.body,
            within=limits.read_within.total_seconds(),
        )

    def _webhook_url(self, name: str) -> str:
        service = self.config.service
        base = service.public_url or f"http://{service.listen.host}:{service.listen.port}"
        return f"{base}/webhooks/{name}"

    async def _forget_answers(self) -> None:
        """Drop the answers kept for Idempotency-Keys once they are old."""
        while True:
            await self.clock.sleep(3600)
            try:
                await self.store.write(idempotency.forget)
            except Exception:
                self.log.exception("duty failed")

    async def _keep_to_terms(self) -> None:
        """Let go what `store.retention` keeps no longer."""
        terms = Terms(**dict(self.config.store.retention))
        retention = Retention(self.store, terms, self.clock)
        while True:
            await self.clock.sleep(3600)
            try:
                gone = await retention.once()
                self.log.info("retention ran", **{k.replace(" ", "_"): n for k, n in gone.items()})
            except Exception:
                self.log.exception("duty failed")

    async def _watch_neighbours(self) -> None:
        """Notice what a command beside the hub has written."""
        while True:
            try:
                await self._watch()
            except Exception:
                self.log.exception("duty failed")
            await self.clock.sleep(5)

    async def _watch(self) -> None:
        async with self.store.read() as connection:
            seen = await self.store.data_version(connection)
            while True:
                await self.clock.sleep(0.5)
                found = await self.store.data_version(connection)
                if found != seen:
                    seen = found
                    self.store.changed.set()


async def serve(config: Config) -> None:
    """Run a hub until SIGTERM or SIGINT, then drain it."""
    listens = config.service.listen
    async with running(Hub(config)) as hub:
        url = f"http://{listens.host}:{listens.port}"
        hub.log.info("hub serves", url=url, config=config.hash[:12])
        await until_stopped()
        hub.log.info("hub drains", grace_s=config.service.shutdown_grace.total_seconds())
    hub.log.info("hub stopped")


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """Start a hub and serve it; at the end, or where its address is taken, drain it."""
    await hub.start()
    try:
        runner = await listen(hub)
        try:
            yield hub
        finally:
            hub.draining = True
            await runner.cleanup()
    finally:
        await hub.stop()


async def listen(hub: Hub) -> web.AppRunner:
    """Bind the hub's application to its address."""
    listens = hub.config.service.listen
    runner = web.AppRunner(
        hub.application(),
        auto_decompress=False,  # bytes arrive as they were sent, and signed
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        access_log=None,
        shutdown_timeout=hub.config.service.shutdown_grace.total_seconds(),
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, listens.host, listens.port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()
