"""The keys that hold calls back: breaker, budget, ceiling; and how their layers are merged."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from hub.ceiling import PER_RECIPIENT, Ceiling
from hub.circuit import Breaker
from hub.config.part import Part
from hub.config.units import Count, Duration, Share
from hub.effects import Limit
from hub.plugin import ActionSpec

RESERVE = 0.2


class BreakerKeys(Part):
    """After how many failures within what time an account rests, for how long."""

    failures: Annotated[Count, Field(le=1000)] | None = None
    within: Duration | None = None
    open_for: Duration | None = None
    probes: Annotated[Count, Field(le=100)] | None = None


class BudgetLimit(Part):
    """At most so many calls in so long."""

    calls: Count
    per: Duration


class Budget(Part):
    """Rate limits of an account, instead of its plugin's, and what of them syncs leave alone."""

    limits: tuple[BudgetLimit, ...] = ()
    reserve: Share = RESERVE


class CeilingKeys(Part):
    """Most messages or money moves in an hour: of a route, and to one recipient."""

    per_hour: Count | None = None
    per_recipient: Count | None = None


def breaker(*layers: BreakerKeys) -> Breaker:
    """Merge breaker keys, the nearest last, over the built-in breaker.

    >>> breaker(BreakerKeys(failures=3), BreakerKeys(probes=2)).failures
    3
    """
    found: dict[str, Any] = {}
    for layer in layers:
        found |= layer.model_dump(exclude_none=True)
    return Breaker(**found)


def limits(declared: Iterable[Limit], budget: Budget) -> tuple[Limit, ...]:
    """Give an account's limits: the admin's instead of the plugin's own for the whole account.

    What answers say of a limit over the same time is still heard.
    """
    own = [limit for limit in declared if limit.by == "account"]
    if not budget.limits:
        return tuple(declared)
    headers = {limit.per: limit.headers for limit in own}
    said = [(limit.calls, limit.per.total_seconds()) for limit in budget.limits]
    wanted = [Limit(calls, per, headers=headers.get(per)) for calls, per in said]
    return (*wanted, *(limit for limit in declared if limit.by == "operation"))


def ceiling(spec: ActionSpec, *layers: CeilingKeys) -> Ceiling:
    """Merge ceiling keys, the nearest last, for one action."""
    found: dict[str, Any] = {"per_recipient": PER_RECIPIENT}
    for layer in layers:
        found |= layer.model_dump(exclude_none=True)
    return Ceiling(recipient=spec.recipient, **found)
