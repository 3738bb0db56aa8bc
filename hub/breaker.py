"""How many jobs of an account this node may start now: slots, budgets, holds, probes.

One gate per account and node. Whether the account's breaker is open lies in the store
(`store.accounts`, by the rules of `hub.circuit`), since all nodes share it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub.budget import PLENTY, Budget
from hub.circuit import Breaker
from hub.effects import Limit
from store.claims import FIRST, Room

KEPT_FOR_FIRST = 4  # of so many slots, one is kept for first attempts


class Gates(dict[str, "Gate"]):
    """Every account's gate; one of a connector's many (`webhook/…`) is like the connector's."""

    def __missing__(self, account: str) -> "Gate":
        made = self[account] = self[account.rpartition("/")[0]].like()
        return made

    def follow(self) -> None:
        """Have each of a connector's many on the connector's terms, which have changed."""
        for account, gate in self.items():
            connector, many, _ = account.rpartition("/")
            if many and connector in self:
                gate.follow(self[connector].like())


@dataclass(slots=True)
class Gate:
    """What one account may do on this node.

    Args:
        slots: Most calls in flight.
        actions: The account's actions; limits by operation hold for each by itself.
        reserve: The part of each budget that syncs and back-fills leave alone.
        held: Why it is held, where it is: then a single probe may pass.
        breaker: When its breaker opens; None: it has none.
    """

    slots: int
    limits: Iterable[Limit] = ()
    paused: bool = False
    held: str | None = None
    flying: int = 0
    actions: Iterable[str] = ()
    reserve: float = 0.2
    breaker: Breaker | None = None
    budgets: list[Budget] = field(init=False)
    by_action: dict[str, list[Budget]] = field(init=False)
    _later: int = field(default=0, init=False)
    _doing: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        limits = tuple(self.limits)
        each = [limit for limit in limits if limit.by == "operation"]
        self.budgets = [Budget(limit) for limit in limits if limit.by == "account"]
        self.by_action = {name: [Budget(limit) for limit in each] for name in self.actions if each}

    def follow(self, other: "Gate") -> None:
        """Take over the terms of another gate of this account, and keep what is counted."""
        self.slots, self.paused, self.reserve = other.slots, other.paused, other.reserve
        self.breaker = other.breaker
        self.budgets = _kept(self.budgets, other.budgets)
        self.by_action = {
            name: _kept(self.by_action.get(name, []), budgets)
            for name, budgets in other.by_action.items()
        }

    def like(self) -> "Gate":
        """Give a fresh gate of the same size."""
        return replace(self, flying=0, held=None)

    # -- room --------------------------------------------------------------------------------------
    def room(self, now: datetime) -> int:
        """Say how many jobs may be claimed for this account now."""
        if self.paused:
            return 0
        free = 1 if self.held else self.slots
        return max(0, min([free, *(b.left(now.timestamp()) for b in self.budgets)]) - self.flying)

    def rooms(self, now: datetime) -> Room:
        """Say how many jobs of each class and action may be claimed for this account now."""
        at, most = now.timestamp(), self.room(now)
        later = min(most, max(0, self.slots - self.slots // KEPT_FOR_FIRST - self._later))
        spare = [b.left(at, reserve=self.reserve) - self.flying for b in self.budgets]
        return Room(
            most=most,
            later=later,
            syncs=max(0, min([later, *spare])),
            actions={
                name: max(0, min(b.left(at) for b in budgets) - self._doing[name])
                for name, budgets in self.by_action.items()
            },
            probes=self.breaker.probes if self.breaker else 1,
        )

    def wait(self, now: datetime) -> float | None:
        """Say in how many seconds a spent budget may have room; None where none is spent."""
        at = now.timestamp()
        spent = [b for b in self.budgets if b.left(at) <= self.flying]
        waits = [w for b in spent if (w := b.wait(at)) is not None]
        each = [
            min((w for b in budgets if (w := b.wait(at)) is not None), default=None)
            for name, budgets in self.by_action.items()
            if min(b.left(at) for b in budgets) <= self._doing[name]
        ]
        soonest = min((w for w in each if w is not None), default=None)
        return max(waits) if waits else soonest

    def spare(self, now: datetime) -> float:
        """Give the part of the tightest budget that is left; 1 where there is none."""
        at = now.timestamp()
        parts = (1 - b.used(at) / b.calls for b in self.budgets if 0 < b.calls < PLENTY)
        return max(min(parts, default=1.0), 0.0)

    # -- jobs --------------------------------------------------------------------------------------
    def take(self, action: str = "", prio: int = FIRST) -> None:
        """Count one job that starts."""
        self.flying += 1
        self._later += prio != FIRST
        self._doing[action] += 1

    def give(self, action: str = "", prio: int = FIRST) -> None:
        """Count one job that ended."""
        self.flying -= 1
        self._later -= prio != FIRST
        self._doing[action] -= 1

    def doing(self, action: str) -> int:
        """Say how many jobs of an action are under way."""
        return self._doing[action]

    def called(self, calls: int, now: datetime, action: str = "") -> None:
        """Count the calls a job has made."""
        for budget in (*self.budgets, *self.by_action.get(action, ())):
            budget.spend(calls, now.timestamp())

    def hear(self, headers: Mapping[str, str], now: datetime, action: str = "") -> None:
        """Learn from what an answer says of the budgets."""
        for budget in self.budgets:
            budget.hear(headers, now.timestamp(), flying=self.flying)
        for budget in self.by_action.get(action, ()):
            budget.hear(headers, now.timestamp(), flying=self._doing[action])


def _kept(old: Iterable[Budget], new: Iterable[Budget]) -> list[Budget]:
    """Give budgets that go on where their limit is the same."""
    known = {budget.limit: budget for budget in old}
    return [known.get(budget.limit, budget) for budget in new]
