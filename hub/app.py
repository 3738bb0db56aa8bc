"""The composition root: the only module that knows every part."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from aiohttp import web

from hub import log, neighbours, trace
from hub.admission import Admission, room_beside
from hub.api.app import api_app, public_routes
from hub.api.endpoint import Api
from hub.ceiling import Ceiling
from hub.clock import Clock, SystemClock
from hub.config import Config, restart
from hub.duties import Duties
from hub.errors import ConfigError, Fault, HubError, Refused
from hub.fitted import Fitted, fit
from hub.gcra import Meter, Quota
from hub.health import Health
from hub.heartbeat import Beats
from hub.http import Outbound
from hub.ids import new_id
from hub.model import Job
from hub.perform import Account
from hub.pulse import Pulse
from hub.reconcile import Reconciler
from hub.reload import Reloads
from hub.rounds import Rounds
from hub.routing import Route
from hub.runner import Runner
from hub.scraping import Scraper, measured, traced
from hub.standins import StandIns
from hub.subscribers import CONNECTOR as OUT
from hub.telling import Teller
from hub.worker import Worker
from store import idempotency, restored, sealed
from store.store import Store
from store.tx import Tx

VERSION = "0.1.0"


class Hub:
    """A hub made of one configuration: start it, serve its application, stop it.

    Args:
        read: Reads the configuration anew; without it there is no reload.

    Attributes:
        fitted: What runs: the configuration and all that was made of it; a reload replaces it.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        read: Callable[[], Config] | None = None,
    ) -> None:
        self.config, self.clock = config, clock or SystemClock()
        self.log = log.get("hub")
        self.node = new_id("node", self.clock.now())
        self.read = read
        self.outbound = Outbound(self.clock)
        self._leaves = False
        self._drains_since: datetime | None = None
        self.duties = Duties(self.clock)
        self.standins = StandIns(self.clock)
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
        self.pulse = Pulse(self.store.answer)
        self.admission = Admission(
            lambda: self.config.service.limits,
            waits=self.store.writer.waits,
            room=room_beside(self.store.file),
        )
        self.rounds = Rounds(self.store, lambda: self.fitted, self.clock, self.admission)
        if (why := await self.store.look(sealed.foreign)) is not None:
            fix = "put back the key this store was sealed with"
            raise ConfigError(Fault(code="store.key", text=why, fix=fix))
        if await self.store.look(restored.pending) is not None:
            self.log.warning("held since a restore", until="hub resume --after-restore")
        if self.store.alone:  # the calls of an earlier process, cut short
            await self.store.write(idempotency.release)
        if self.config.outbound != "hold":
            await self.outbound.open()
        self._ends.push_async_callback(self.outbound.close)
        if self.config.outbound == "sandbox":
            self._ends.push_async_callback(self.standins.close)
            await self.standins.open(self.config)
        self.fitted = await fit(self._stood_in(self.config), self.store, self.outbound, self.clock)
        self._ends.push_async_callback(self._close_accounts)
        self.store.use(self.fitted.router.jobs_for)
        await self.rounds.hold_secrets()
        self.reloads = Reloads(
            self.store,
            self.outbound,
            self.clock,
            read=self.read and self._read,
            running=lambda: self.fitted,
            put=self._put,
            node=self.node,
            after=self.rounds.end_pauses,
        )
        self._ends.push_async_callback(self.reloads.close)

    async def _begin(self) -> None:
        service = self.config.service
        self.runner = Runner(
            self.store,
            accounts=self.fitted.accounts,
            shop=self.fitted.shop.actions,
            policy_of=lambda name: r.retry if (r := self._route_of(name)) else None,
            reread=self._reread,
            clock=self.clock,
            lease=service.lease,
            ceiling_of=self._ceiling_of,
        )
        self.runner.account_of = self._account_of
        self.runner.timeouts_of = lambda name: r.timeouts if (r := self._route_of(name)) else None
        self.runner.only_to = self.config.service.messages_only_to
        self.worker = Worker(self.runner)
        self._ends.push_async_callback(self.rounds.note_secrets)
        self._ends.push_async_callback(self.duties.end)
        await self.rounds.end_pauses()
        await self.worker.start()
        self.api = self._api()
        self._ends.push_async_callback(self._end_work)
        await self.reloads.started()
        self._begin_duties(Reconciler(self.runner, self._route_of))

    def _begin_duties(self, reconciler: Reconciler) -> None:
        self.duties.begin(self.pulse.forever())
        self.duties.begin(reconciler.forever())
        if self.store.alone:
            self.duties.begin(neighbours.watch(self.store, self.clock))
        if self.config.service.reload == "watch" and self.read is not None:
            self.duties.begin(self.reloads.watch())
        self.rounds.begin(self.duties)
        self.teller = Teller(
            self.store,
            lambda: self.fitted,
            reloads=self.reloads,
            gates=self.runner.gates,
            clock=self.clock,
        )
        self._ends.callback(self.teller.begin(self.duties))
        self.duties.begin(self._beats().forever())

    def leave(self) -> None:
        """Say at /readyz that it ends; everything goes on meanwhile."""
        self._leaves = True

    def drain(self) -> None:
        """End: from here on all that is in flight shares one grace."""
        self.leave()
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
        limit = self.config.service.limits.body
        app = web.Application(
            client_max_size=limit, middlewares=[measured, traced] if trace.on() else [measured]
        )
        app.add_routes(
            [
                web.post("/webhooks/{name}", self._post),
                web.get("/webhooks/{name}", self._greet),
                web.get("/webhook-keys/{id}", self._serve_keys),
                *self._health().routes(),
                *self._scraper().routes(),
                *public_routes(VERSION, lambda: self.config, lambda: self.api),
            ]
        )
        app.add_subapp("/v1", api_app(lambda: self.api))
        return app

    def _health(self) -> Health:
        details = {"config": self.reloads.shown, "webhooks": lambda: self.fitted.managing.shown}
        return Health(
            [self._hindrance],
            details=details,
            api=lambda: self.api,
            lagging=self.pulse.lagging,
        )

    def _scraper(self) -> Scraper:
        return Scraper(
            self.store,
            self.runner.gates,
            pulse=self.pulse,
            reloads=self.reloads,
            hindered=self._hindrance,
            clock=self.clock,
        )

    def _beats(self) -> Beats:
        return Beats(
            self.outbound,
            lambda: self.config.alerts.heartbeat,
            hindered=self._hindrance,
            clock=self.clock,
        )

    async def _post(self, asked: web.Request) -> web.StreamResponse:
        try:
            with self.admission.carrying(asked):
                return await self.fitted.receiver.post(asked)
        except Refused as full:
            if full.code != "overloaded":
                raise
            after = {"Retry-After": str(full.extra["retry_after"])}
            raise web.HTTPServiceUnavailable(headers=after) from full

    async def _greet(self, asked: web.Request) -> web.StreamResponse:
        return await self.fitted.receiver.greet(asked)

    def _read(self) -> Config:
        """Read the configuration anew, for a reload."""
        if self.read is None:
            raise HubError("there is no file to read")
        found = self.read()
        restart.refuse(self.config, found)
        return self._stood_in(found)

    def _stood_in(self, config: Config) -> Config:
        return self.standins.stand_in(config) if config.outbound == "sandbox" else config

    def _put(self, fitted: Fitted) -> None:
        """Run on this from now on."""
        self.fitted, self.config = fitted, fitted.config
        self.store.use(fitted.router.jobs_for)
        self.runner.use(fitted.accounts, fitted.shop.actions)
        self.runner.only_to = fitted.config.service.messages_only_to
        self.api = self._api()
        self.store.changed.set()

    def _api(self) -> Api:
        limit = self.config.service.limits.api
        return Api(
            store=self.store,
            clock=self.clock,
            wait_for=self.worker.wait_for,
            rules=self.fitted.shop.rules,
            event_types=self.config.events,
            forms=self.config.forms,
            proxies=self.config.service.trusted_proxies,
            rewrite=self.fitted.router.job_of,
            may_call=self.fitted.deliveries.check_url,
            meter=Meter(Quota(limit.calls, limit.per.total_seconds())),
            refusals=self.fitted.receiver.refusals,
            reloads=self.reloads,
            carrying=self.admission.carrying,
        )

    def _hindrance(self) -> str | None:
        if self._leaves:
            return "draining"
        if not self.store.writer.alive():
            return "the writer has stopped"
        if not self.worker.alive() or not self.duties.alive():
            return "a duty has stopped"
        return self.pulse.silent

    # -- parts -------------------------------------------------------------------------------------
    async def _open_store(self) -> Store:
        store = self.config.store
        return await Store.open(
            store.url,
            keys=store.encryption_keys,
            clock=self.clock,
            served=True,
            pool=store.pool,
        )

    async def _account_of(self, job: Job) -> Account:
        if job.connector == OUT:
            return await self.fitted.deliveries.account(job, self.runner.gates[job.account])
        return self.fitted.accounts[job.connector]

    def _ceiling_of(self, route: str | None, connector: str, action: str) -> Ceiling | None:
        now = self.fitted
        account = now.accounts.get(connector)
        return now.router.ceiling_of(route, account.actions.get(action) if account else None)

    async def _reread(self, job: Job) -> Callable[[Tx], None]:
        return await self.fitted.receiver.reread(job)

    async def _serve_keys(self, asked: web.Request) -> web.StreamResponse:
        return await self.fitted.deliveries.serve_keys(asked)

    def _route_of(self, name: str | None) -> Route | None:
        return self.fitted.router.by_name.get(name or "")

    async def _close_accounts(self) -> None:
        async with AsyncExitStack() as ends:
            for account in self.fitted.accounts.values():
                ends.push_async_callback(account.connector.close)
