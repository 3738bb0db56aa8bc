"""`/metrics`: what was counted, and how things stand, in Prometheus' text or as OpenMetrics.

It tells nobody's name and no amount, so it asks for no key; a balancer keeps it off the public net.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import choose_encoder

from hub import metrics, trace
from hub.breaker import Gate, Gates
from hub.clock import Clock
from hub.errors import HubError
from hub.pulse import Pulse
from hub.reload import SHORT, Reloads
from store.standing import Standing, standing
from store.store import Store

FRESH = 5.0
"""Seconds for which one look at the store serves every scrape."""
NO_ROUTE = "none"
_METHODS = frozenset(hdrs.METH_ALL)


class Scraper:
    """Answers scrapes.

    Args:
        hindered: Says why the hub is not ready, or None.
    """

    def __init__(
        self,
        store: Store,
        gates: Gates,
        *,
        pulse: Pulse,
        reloads: Reloads,
        hindered: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        self.store, self.gates, self.pulse, self.reloads = store, gates, pulse, reloads
        self.hindered, self.clock = hindered, clock
        self._looked: float | None = None

    def routes(self) -> list[web.RouteDef]:
        """Give its route."""
        return [web.get("/metrics", self._scrape)]

    async def _scrape(self, request: web.Request) -> web.Response:
        if self._looked is None or time.monotonic() - self._looked >= FRESH:
            self._looked = time.monotonic()
            try:
                self._stand(await self.store.look(standing))
            except (HubError, OSError):  # what was counted is told all the same
                self._looked = None
        self._here()
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.REGISTRY), headers={"Content-Type": kind})

    def _stand(self, found: Standing) -> None:
        now = self.clock.now()
        metrics.put(metrics.jobs, found.jobs.items())
        metrics.put(metrics.oldest, _ages(found.oldest.items(), now))
        metrics.put(metrics.overdue, _ages(found.due.items(), now))
        metrics.put(metrics.halted, ((pair, 1) for pair in found.halted))
        metrics.put(metrics.routes_held, (((route,), 1) for route in found.routes_held))
        metrics.put(metrics.alerts_open, (((signal,), n) for signal, n in found.alerts.items()))
        metrics.put(metrics.cases, (((kind,), n) for kind, n in found.cases.items()))

    def _here(self) -> None:
        """Set what this node alone knows."""
        now = self.clock.now()
        connectors: dict[str, list[Gate]] = defaultdict(list)
        for account, gate in self.gates.items():
            connectors[account.partition("/")[0]].append(gate)
        for name, gates in connectors.items():
            metrics.flying.labels(name).set(sum(gate.flying for gate in gates))
            metrics.budget.labels(name).set(min(gate.spare(now) for gate in gates))
        metrics.writer_waiting.set(self.store.writer.waiting())
        metrics.loop_lag.set(self.pulse.lag())
        metrics.ready.set(self.hindered() is None)
        self._configured()

    def _configured(self) -> None:
        now = self.reloads.running()
        words = (now.config.hash[:SHORT], now.config.service.environment, now.config.outbound)
        metrics.put(metrics.config_info, [(words, 1)])
        metrics.config_since.set(now.since.timestamp())
        metrics.reload_success.set(self.reloads.rejected is None)


def _ages(
    since: Iterable[tuple[str, datetime]], now: datetime
) -> Iterator[tuple[tuple[str], float]]:
    for name, at in since:
        yield (name,), max((now - at).total_seconds(), 0.0)


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time every request, by its route's pattern."""
    began = time.perf_counter()
    status = 500
    try:
        answer = await handler(request)
    except web.HTTPException as error:
        status = error.status
        raise
    else:
        status = answer.status
        return answer
    finally:
        resource = request.match_info.route.resource
        route = NO_ROUTE if resource is None else resource.canonical
        method = request.method if request.method in _METHODS else "other"
        metrics.requests.labels(method, route, str(status)).inc()
        metrics.request_seconds.labels(route).observe(time.perf_counter() - began)


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell of every request, by its route's pattern; it goes on with the caller's trace."""
    resource = request.match_info.route.resource
    route = NO_ROUTE if resource is None else resource.canonical
    method = request.method if request.method in _METHODS else "other"
    parent = request.headers.get("traceparent")
    with trace.span(
        f"{method} {route}",
        "server",
        parent=parent,
        http__request__method=method,
        http__route=route,
    ) as span:
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            span.note("http.response.status_code", error.status)
            raise
        span.note("http.response.status_code", answer.status)
        return answer
