"""Metrics: what a hub counts and times, for Prometheus.

Counters and histograms are told of things as they happen; gauges are set by `hub.scraping` when
somebody asks. Every label's value comes from a closed set: names of the configuration, words of
our own, routes of the API. Never an address, an id, a person or a text of a provider.
Source: Prometheus, "Metric and label naming" and "Instrumentation" (2026).
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

disable_created_metrics()  # type: ignore[no-untyped-call] # the library types it not
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CALLS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400)
UNITS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"hub_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"hub_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"hub_{name}", text, labels, registry=REGISTRY, buckets=buckets)


# -- what comes in ---------------------------------------------------------------------------------
requests = _counter(
    "http_requests", "HTTP requests answered.", "method", "route", "status",
)  # fmt: skip
request_seconds = _histogram(
    "http_request_seconds", "Seconds from a request's head to its answer.", QUICK, "route"
)
webhooks = _counter(
    "webhooks", "Webhooks by what became of them: stored, duplicate, refused, failed.",
    "connector", "result",
)  # fmt: skip
refusals = _counter(
    "webhook_refusals", "Webhooks refused for their signature, by reason.", "connector", "reason"
)

turned_away = _counter(
    "turned_away", "Requests answered 503 because the hub was full, by what was: memory, store, "
    "disk, backlog.", "reason",
)  # fmt: skip

# -- what goes out ---------------------------------------------------------------------------------
attempts = _counter(
    "attempts", "Attempts of jobs by outcome.", "connector", "action", "outcome"
)  # fmt: skip
attempt_seconds = _histogram(
    "attempt_seconds", "Seconds an attempt took.", CALLS, "connector", "action"
)
jobs_ended = _counter(
    "jobs_ended", "Jobs that ended, or were parked as uncertain, by state.",
    "connector", "action", "state",
)  # fmt: skip
delivery_seconds = _histogram(
    "delivery_seconds", "Seconds from a job's birth to its being done.", LONG,
    "connector", "action",
)  # fmt: skip
fenced = _counter("attempts_fenced", "Attempts whose lease another had by then.", "connector")
alerts = _counter("alerts", "Alerts raised.", "signal")

# -- the store -------------------------------------------------------------------------------------
commit_seconds = _histogram("commit_seconds", "Seconds a commit of the writer took.", QUICK)
commit_units = _histogram("commit_units", "Units committed together.", UNITS)

# -- how things stand, set by hub.scraping ---------------------------------------------------------
jobs = _gauge("jobs", "Live jobs by state.", "connector", "state")
oldest = _gauge(
    "oldest_job_seconds", "Age of the oldest live job that waits for its end.", "connector"
)
overdue = _gauge("oldest_due_seconds", "For how long the oldest due job has been due.", "connector")
halted = _gauge(
    "connector_halted", "1 while the account is held, its breaker open, or it is paused.",
    "connector", "why",
)  # fmt: skip
flying = _gauge("calls_in_flight", "Attempts under way on this node.", "connector")
budget = _gauge("budget_left_ratio", "Part of the tightest budget this node has left.", "connector")
routes_held = _gauge("route_held", "1 while a route is held above its ceiling.", "route")
alerts_open = _gauge("alerts_open", "Alerts that were told and stand, by signal.", "signal")
cases = _gauge("cases_open", "Open cases by kind.", "kind")
writer_waiting = _gauge("writer_waiting", "Units that wait for the writer.")
loop_lag = _gauge("loop_lag_seconds", "Worst lag of the event loop in the last seconds.")
ready = _gauge("ready", "1 while /readyz answers 200.")
reload_success = _gauge("config_reload_success", "0 while a newer configuration is refused.")
config_since = _gauge("config_since_seconds", "Unix time since when this configuration runs.")
config_info = _gauge(
    "config_info", "The running configuration, always 1.", "hash", "environment", "outbound"
)

# Every job asks for these: looking one up takes `labels` as long as counting. Counters and
# histograms are never cleared, so what is kept stays the one that is scraped.
_attempts = cache(attempts.labels)
_attempt_seconds = cache(attempt_seconds.labels)
_jobs_ended = cache(jobs_ended.labels)
_delivery_seconds = cache(delivery_seconds.labels)


def attempted(
    connector: str, action: str, outcome: str, state: str, *, took: timedelta, age: timedelta
) -> None:
    """Count an attempt that was settled.

    Args:
        state: What became of the job.
        age: Since its birth.
    """
    _attempts(connector, action, outcome).inc()
    _attempt_seconds(connector, action).observe(took.total_seconds())
    if state != "ready":
        _jobs_ended(connector, action, state).inc()
    if state == "done":
        _delivery_seconds(connector, action).observe(age.total_seconds())


def refused(connector: str, reason: str) -> None:
    """Count a webhook that was refused; the reason is a SignatureError's."""
    webhooks.labels(connector, "refused").inc()
    refusals.labels(connector, reason).inc()


def committed(units: int, seconds: float) -> None:
    """Count one commit of the writer."""
    commit_units.observe(units)
    commit_seconds.observe(seconds)


def put(gauge: Gauge, values: Iterable[tuple[Sequence[str], float]]) -> None:
    """Set a gauge to these values by their labels, and to no others."""
    gauge.clear()
    for labels, value in values:
        gauge.labels(*labels).set(value)
