"""Alerts: what a person must know, named by one of a closed set of signals."""

from collections.abc import Callable
from typing import Literal

from hub import log, metrics

Signal = Literal[
    "connector.held", "route.held", "job.dead", "job.uncertain", "case.opened", "queue.oldest",
    "webhook.silent", "webhook.rejected", "webhook.differs", "config.rejected",
    "budget.spent", "secret.expiring", "lane.blocked",
]  # fmt: skip
Listener = Callable[[Signal, str, str, str | None], None]
"""Told of a signal, what it is about, its text and its fix."""

_log = log.get("alerts")
_listeners: list[Listener] = []


def tell(signal: Signal, *, about: str, text: str, fix: str | None = None) -> None:
    """Raise an alert.

    Args:
        about: The connector, route, job or case it speaks of; equal ones are grouped.
        text: What happened, without secrets and personal data.
        fix: The command or step that comes next.
    """
    say(signal, about=about, text=text, fix=fix)
    for listener in _listeners:
        listener(signal, about, text, fix)


def say(signal: Signal, *, about: str, text: str, fix: str | None = None) -> None:
    """Log and count an alert, and tell nobody else."""
    metrics.alerts.labels(signal).inc()
    _log.warning("alert", signal=signal, about=about, text=text, fix=fix)


def listen(listener: Listener) -> Callable[[], None]:
    """Have a listener told of all that is raised from now on; give what ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
