"""The composition root: the only module that knows every part."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime

from aiohttp import web

from hub import log, neighbours
from hub.api.app import api_app, public_routes
from hub.api.endpoint import Api
from hub.breaker import Gate
from hub.ceiling import Ceiling
from hub.clock import Clock, SystemClock
from hub.config import Config
from hub.config.instances import ConnectorConfig
from hub.duties import Duties
from hub.errors import ConfigError, Fault
from hub.health import Health
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
HOURLY = 3600.0


class Hub:
    """A hub made of one configuration: start it, serve its application, stop it."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self.config, self.clock = config, clock or SystemClock()
        self.log = log.get("hub")
        self.router = Router(config.routes)
        self.outbound = Outbound(self.clock)
        self.shop = Shop(rules_of(config))
        self.draining = False
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
        self._ends.push_async_callback(self.duties.end)
        await self.worker.start()
        self._ends.push_async_callback(self.worker.stop, service.shutdown_grace)
        reconciler = Reconciler(self.runner, lambda name: self.router.by_name.get(name or ""))
        self._begin_duties(reconciler)

    def _begin_duties(self, reconciler: Reconciler) -> None:
        terms = Terms(**dict(self.config.store.retention))
        self._retention = Retention(self.store, terms, self.clock)
        self.duties.begin(reconciler.forever())
        if self.store.alone:
            self.duties.begin(neighbours.watch(self.store, self.clock))
        self.duties.every(HOURLY, lambda: self.store.write(idempotency.forget))
        self.duties.every(HOURLY, self._keep_to_terms)

    async def stop(self) -> None:
        """Let what is in flight end, then close everything."""
        self.draining = True
        await self._ends.aclose()

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

    def _hindrance(self) -> str | None:
        if self.draining:
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

    async def _keep_to_terms(self) -> None:
        """Let go what `store.retention` keeps no longer."""
        gone = await self._retention.once()
        self.log.info("retention ran", **{k.replace(" ", "_"): n for k, n in gone.items()})
