"""How many calls an account may start now: free slots and budget. One gate per account and node."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hub.effects import Limit


@dataclass(slots=True)
class Budget:
    """One rate limit as a generic cell rate algorithm: `tat` is when the bucket is full again."""

    limit: Limit
    tat: float = 0.0

    def left(self, now: float) -> int:
        """Say how many calls may start at `now` (unix seconds)."""
        step = self.limit.per / self.limit.calls
        return max(0, int((now + self.limit.per - max(self.tat, now)) / step + 1e-9))

    def spend(self, calls: int, now: float) -> None:
        """Count calls that start at `now`."""
        self.tat = max(self.tat, now) + calls * self.limit.per / self.limit.calls


@dataclass(slots=True)
class Gate:
    """What one account may do on this node.

    Args:
        slots: Most calls in flight.
        held: Why it is held, where it is: then a single probe may pass.
    """

    slots: int
    limits: Iterable[Limit] = ()
    paused: bool = False
    held: str | None = None
    flying: int = 0
    budgets: list[Budget] = field(init=False)

    def __post_init__(self) -> None:
        self.budgets = [Budget(limit) for limit in self.limits if limit.by == "account"]

    def room(self, now: datetime) -> int:
        """Say how many jobs may be claimed for this account now."""
        if self.paused:
            return 0
        free = (1 if self.held else self.slots) - self.flying
        return max(0, min([free, *(b.left(now.timestamp()) for b in self.budgets)]))

    def wait(self, now: datetime) -> float | None:
        """Say in how many seconds a spent budget gives its next call; None where none is spent."""
        spent = [b for b in self.budgets if b.left(now.timestamp()) == 0]
        steps = [b.tat - now.timestamp() - b.limit.per * (1 - 1 / b.limit.calls) for b in spent]
        return max(steps, default=None)

    def take(self, now: datetime) -> None:
        """Count one call that starts."""
        self.flying += 1
        for budget in self.budgets:
            budget.spend(1, now.timestamp())

    def give(self) -> None:
        """Count one call that ended."""
        self.flying -= 1
