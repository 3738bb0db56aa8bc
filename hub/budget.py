"""One rate limit of an account on this node, counted over a rolling window as providers count it.

No burst may come on top. Nodes share a limit: each may use its `share` of the calls. Answers that
tell what is left teach it how much others have used.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.effects import Limit

GRAINS = 500
PLENTY = 1 << 30
LATEST_RESET = 86_400.0


@dataclass(slots=True)
class Spent:
    """Calls that ended about the same time, and the most of one job among them."""

    at: float
    calls: int
    most: int


@dataclass(slots=True)
class Budget:
    """One limit. What was called leaves its window late: the provider saw it before it ended.

    Attributes:
        share: How many of its calls this node may make; None: all.
        told_most: What the provider says the limit is, where it says so.
        told: What the provider last said is left, until when, where only it knows the limit.
    """

    limit: Limit
    share: int | None = None
    told_most: int | None = None
    told: tuple[int, float] | None = None
    ended: deque[Spent] = field(default_factory=deque)
    spent: int = 0

    @property
    def top(self) -> int:
        """Give how many calls a window may hold on all nodes."""
        known = (self.limit.calls, self.told_most)
        return min((n for n in known if n is not None), default=PLENTY)

    @property
    def calls(self) -> int:
        """Give how many calls a window may hold on this node."""
        return self.top if self.share is None else min(self.top, self.share)

    @property
    def most(self) -> int:
        """Give the most calls of one job in the window."""
        return max((one.most for one in self.ended), default=1)

    def used(self, now: float) -> int:
        """Give how many calls the window holds."""
        while self.ended and self.ended[0].at <= now - self.limit.per:
            self.spent -= self.ended.popleft().calls
        return self.spent

    def left(self, now: float, *, reserve: float = 0.0) -> int:
        """Say how many jobs it has room for, if each calls as often as any in the window did.

        Args:
            reserve: The part of the limit that is left alone.
        """
        used = self.used(now)
        room = self.calls - used
        if self.told is not None and now < self.told[1]:
            room = min(room, self.told[0])
        if self.calls < PLENTY:
            room -= int(self.calls * reserve)
        return max(room, 0) // self.most

    def spend(self, calls: int, now: float, *, job: bool = True) -> None:
        """Count calls that ended at `now` (unix seconds).

        Args:
            job: They are one job's, not what others have used.
        """
        if calls <= 0:
            return
        grain = self.limit.per / GRAINS
        most = calls if job else 1
        if self.ended and int(self.ended[-1].at / grain) == int(now / grain):
            last = self.ended[-1]
            last.at, last.calls, last.most = now, last.calls + calls, max(last.most, most)
        else:
            self.ended.append(Spent(now, calls, most))
        self.spent += calls
        if job and self.told is not None:
            self.told = (self.told[0] - calls, self.told[1])

    def wait(self, now: float) -> float | None:
        """Say in how many seconds it may have more room; None where nothing holds it."""
        self.used(now)
        waits = [self.ended[0].at + self.limit.per - now] if self.ended else []
        if self.told is not None and self.told[0] <= 0 and now < self.told[1]:
            waits.append(self.told[1] - now)
        return max(waits, default=None)

    def hear(self, headers: Mapping[str, str], now: float, *, flying: int) -> None:
        """Learn from an answer's headers: what is left there is all there is.

        Args:
            flying: Jobs under way; their calls may be counted there already.
        """
        names = self.limit.headers
        left = _whole(headers.get(names.remaining)) if names else None
        if names is None or left is None:
            return
        most = _whole(headers.get(names.limit)) if names.limit else None
        self.told_most = most or self.told_most
        if self.limit.calls is None:
            reset = _whole(headers.get(names.reset)) if names.reset else None
            self.told = (left, now + _seconds(reset, now, self.limit.per))
            return
        unseen = self.calls - self.used(now) - flying - left
        self.spend(unseen, now, job=False)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.strip().isdigit() else None


def _seconds(reset: int | None, now: float, per: float) -> float:
    """Read a reset: seconds from now, or a time in unix seconds."""
    if reset is None:
        return per
    return min(max(reset - now if reset > LATEST_RESET * 365 else reset, 0.0), LATEST_RESET)
