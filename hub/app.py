"""The composition root: the only module that knows every part."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from aiohttp import web

from hub import log, neighbours, parts
from hub.api.app import api_app, public_routes
from hub.api.endpoint import Api
from hub.ceiling import Ceiling
from hub.clock import Clock, SystemClock
from hub.config import Config
from hub.duties import Duties
from hub.errors import ConfigError, Fault
from hub.gcra import Meter, Quota
from hub.health import Health
from hub.http import Outbound
from hub.pull import EVERY as PULLING
from hub.reconcile import Reconciler
from hub.routing import Router
from hub.runner import Runner
from hub.shop import Shop, rules_of
from hub.worker import Worker
from store import idempotency, sealed
from store.retention import Retention, Terms
from store.store import Store

VERSION = "0.1.0"
HOURLY, NOTING = 3600.0, 10.0


class Hub:
    """A hub made of one configuration: start it, serve its application, stop it."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config, self.clock = config, clock or SystemClock()
        self.log = log.get("hub")
        self.router = Router(config.routes)
        self.outbound = Outbound(self.clock)
        self.shop = Shop(rules_of(config))
        self._drains_since: datetime | None = None
        self.duties = Duties(self.clock)
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
        self.accounts = parts.accounts(self.config, self.outbound)
        for account in self.accounts.values():
            await account.connector.open()
            self._ends.push_async_callback(account.connector.close)

    async def _begin(self) -> None:
        service = self.config.service
        self.receiver = parts.receiver(self.config, self.store, self.accounts, self.clock)
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
        self._ends.push_async_callback(self.receiver.note_secrets)
        self._ends.push_async_callback(self.duties.end)
        await self.worker.start()
        self._ends.push_async_callback(self._end_work)
        self.puller = parts.puller(self.config, self.store, self.accounts, self.clock)
        await self.puller.know()
        reconciler = Reconciler(self.runner, lambda name: self.router.by_name.get(name or ""))
        self._begin_duties(reconciler)

    def _begin_duties(self, reconciler: Reconciler) -> None:
        terms = Terms(**dict(self.config.store.retention))
        self._retention = Retention(self.store, terms, self.clock)
        self.duties.begin(reconciler.forever())
        if self.store.alone:
            self.duties.begin(neighbours.watch(self.store, self.clock))
        self.duties.every(NOTING, self.receiver.note_secrets)
        self.duties.every(PULLING, self.puller.once)
        self.duties.every(HOURLY, lambda: self.store.write(idempotency.forget))
        self.duties.every(HOURLY, self._keep_to_terms)

    def drain(self) -> None:
        """Say that it ends: from here on all that is in flight shares one grace."""
        self._drains_since = self._drains_since or self.clock.now()

    async def stop(self) -> None:
        """Let what is in flight end, then close everything."""
        self.drain()
        await self._ends.aclose()

    async def _end_work(self) -> None:
        now, grace = self.clock.now(), self.config.service.shutdown_grace
        await self.worker.stop(max(grace - (now - (self._drains_since or now)), timedelta()))

    # -- serving -----------------------------------------------------------------------------------
    def application(self) -> web.Application:
        """Give what is served; `start` must have run."""
        app = web.Application(client_max_size=self.config.service.limits.body)
        app.add_routes(
            [
                web.post("/webhooks/{name}", self.receiver.post),
                web.get("/webhooks/{name}", self.receiver.greet),
                *Health([self._hindrance]).routes(),
                *public_routes(VERSION),
            ]
        )
        limit = self.config.service.limits.api
        api = Api(
            store=self.store,
            clock=self.clock,
            wait_for=self.worker.wait_for,
            rules=self.shop.rules,
            event_types=self.config.events,
            rewrite=self.router.job_of,
            meter=Meter(Quota(limit.calls, limit.per.total_seconds())),
            refusals=self.receiver.refusals,
        )
        app.add_subapp("/v1", api_app(api))
        return app

    def _hindrance(self) -> str | None:
        if self._drains_since is not None:
            return "draining"
        if not self.store.writer.alive():
            return "the writer has stopped"
        if not self.worker.alive() or not self.duties.alive():
            return "a duty has stopped"
        return None

    # -- parts -------------------------------------------------------------------------------------
    async def _open_store(self) -> Store:
        store = self.config.store
        return await Store.open(
            store.url,
            keys=store.encryption_keys,
            clock=self.clock,
            route=self.router.jobs_for,
            served=True,
        )

    def _ceiling_of(self, route: str | None, connector: str, action: str) -> Ceiling | None:
        account = self.accounts.get(connector)
        return self.router.ceiling_of(route, account.actions.get(action) if account else None)

    async def _keep_to_terms(self) -> None:
        """Let go what `store.retention` keeps no longer."""
        gone = await self._retention.once()
        self.log.info("retention ran", **{k.replace(" ", "_"): n for k, n in gone.items()})
