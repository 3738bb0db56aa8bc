"""The breaker of an account: pure rules; its state lies in the store, where all nodes see it.

Closed, it counts strikes: attempts that failed and say something of the provider's health. Open,
nothing is claimed but now and then a probe, whose end closes it, or keeps it open for longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

STRIKES = ("retry", "ambiguous")
"""Outcomes that count; a provider that rejects, throttles or wants other credentials is well."""
ANSWERS = ("reject", "rate_limited", "auth_failed", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When an account's breaker opens, for how long, and how many probes then pass at once."""

    failures: int = 20
    within: timedelta = timedelta(seconds=60)
    open_for: timedelta = timedelta(seconds=60)
    probes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What an account's breaker knows.

    Args:
        since: Since when it is open; None: it is closed.
        probe_at: When a probe may go.
        strikes: When the failures that count were noted, oldest first.
    """

    since: datetime | None = None
    probe_at: datetime | None = None
    strikes: tuple[datetime, ...] = ()


def struck(circuit: Circuit, breaker: Breaker, *, count: int, now: datetime) -> Circuit:
    """Note failures; one that is open already learns nothing from those that came late."""
    if circuit.since is not None:
        return circuit
    recent = [at for at in circuit.strikes if at > now - breaker.within]
    strikes = (*recent, *[now] * count)[-breaker.failures :]
    if len(strikes) < breaker.failures:
        return Circuit(strikes=strikes)
    return Circuit(since=now, probe_at=now + breaker.open_for)


def probed(circuit: Circuit, breaker: Breaker, *, well: bool | None, now: datetime) -> Circuit:
    """Say what follows from a probe; one that told nothing (None) makes room for another."""
    if well:
        return Circuit()
    again = now + breaker.open_for if well is False else None
    return Circuit(since=circuit.since, probe_at=again)


def well(outcome: str, status: int | None) -> bool | None:
    """Say whether an attempt proves the provider well or ill; None: it proves nothing.

    >>> well("retry", None), well("reject", 400), well("reject", None)
    (False, True, None)
    """
    if outcome in STRIKES:
        return False
    return True if outcome == "ok" or (outcome in ANSWERS and status is not None) else None


def halted(since: datetime, others: Sequence[datetime | None], now: datetime) -> timedelta:
    """Give what a halt that ends now adds to the time held: other halts count for themselves.

    Args:
        others: Since when other halts of the same account last.
    """
    ends = min([other for other in others if other is not None], default=now)
    return max(ends - since, timedelta(0))
