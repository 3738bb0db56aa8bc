"""How many calls an account may start now: free slots and budget. One gate per account and node."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from hub.effects import Limit


@dataclass(slots=True)
class Budget:
    """One rate limit over a rolling window, as providers count it: no burst may come on top.

    What was called leaves the window so long after it has ended, since the provider saw it before.
    """

    limit: Limit
    ended: deque[tuple[float, int]] = field(default_factory=deque)

    def left(self, now: float) -> int:
        """Say how many jobs it has room for, if each calls as often as any in the window did."""
        while self.ended and self.ended[0][0] <= now - self.limit.per:
            self.ended.popleft()
        spent = sum(calls for _, calls in self.ended)
        most = max((calls for _, calls in self.ended), default=1)
        return (self.limit.calls - spent) // most

    def spend(self, calls: int, now: float) -> None:
        """Count calls that ended at `now` (unix seconds)."""
        if calls:
            self.ended.append((now, calls))

    def wait(self, now: float) -> float | None:
        """Say in how many seconds the window moves on; None where nothing was called in it."""
        return self.ended[0][0] + self.limit.per - now if self.ended else None


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
        free = 1 if self.held else self.slots
        return max(0, min([free, *(b.left(now.timestamp()) for b in self.budgets)]) - self.flying)

    def wait(self, now: datetime) -> float | None:
        """Say in how many seconds a spent budget may have room; None where none is spent."""
        at = now.timestamp()
        waits = [b.wait(at) for b in self.budgets if b.left(at) <= self.flying]
        return max((w for w in waits if w is not None), default=None)

    def take(self) -> None:
        """Count one job that starts."""
        self.flying += 1

    def called(self, calls: int, now: datetime) -> None:
        """Count the calls a job has made."""
        for budget in self.budgets:
            budget.spend(calls, now.timestamp())

    def give(self) -> None:
        """Count one job that ended."""
        self.flying -= 1
