"""Alerts: what a person must know, named by one of a closed set of signals."""

from typing import Literal

from hub import log, metrics

Signal = Literal[
    "connector.held", "route.held", "job.dead", "job.uncertain", "case.opened", "queue.oldest",
    "webhook.silent", "webhook.rejected", "webhook.differs", "config.rejected", "config.differs",
    "budget.spent", "secret.expiring", "lane.blocked",
]  # fmt: skip

_log = log.get("alerts")


def tell(signal: Signal, *, about: str, text: str, fix: str | None = None) -> None:
    """Raise an alert.

    Args:
        about: The connector, route, job or case it speaks of; equal ones are grouped.
        text: What happened, without secrets and personal data.
        fix: The command or step that comes next.
    """
    metrics.alerts.labels(signal).inc()
    _log.warning("alert", signal=signal, about=about, text=text, fix=fix)
