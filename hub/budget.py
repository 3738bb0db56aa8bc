"""One rate limit of an account on this node, counted over a rolling window as providers count it.

No burst may come on top. Nodes share a limit: each may use its `share` of the calls. Answers that
tell what is left teach it how much others have used.

The provider counts a call when it arrives: after its head was sent, before its answer is here.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.effects import Limit

GRAINS = 500
PLENTY = 1 << 30
LATEST_RESET = 86_400.0
ON_ITS_WAY = 0.1  # seconds by which one request may travel longer than another
MOMENT = 0.001
# This part of a window, or so few, go at once; what comes then evenly, but for a little haste.
AT_ONCE, FEW = 0.25, 5
HASTE, CATCH_UP, EVENLY_WITHIN = 1.5, 0.02, 1.0


def arrived(sent: float | None, ended: float, *, answered: bool = True) -> float:
    """Say by when a call has arrived: once it was answered, or has been long enough on its way.

    >>> arrived(10.0, 10.02), arrived(10.0, 13.0), arrived(10.0, 10.02, answered=False)
    (10.02, 10.1, 10.1)
    >>> arrived(None, 13.0, answered=False)  # it never left
    13.0
    """
    if sent is None:
        return ended
    return min(ended, sent + ON_ITS_WAY) if answered else sent + ON_ITS_WAY


@dataclass(slots=True)
class Spent:
    """Calls that arrived about the same time, and the most of one job among them."""

    at: float
    calls: int
    most: int


@dataclass(slots=True)
class Budget:
    """One limit. What was called leaves its window late: the provider saw it before that.

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
    even: float = 0.0

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

    def left(self, now: float, *, reserve: float = 0.0, ahead: float = 0.0) -> int:
        """Say how many jobs it has room for, if each calls as often as any in the window did.

        Args:
            reserve: The part of the limit that is left alone.
            ahead: Seconds from now, in which more of the window may leave.
        """
        used = self.used(now) - self._leaving(now + ahead)
        room = self.calls - used
        if self.told is not None and now < self.told[1]:
            room = min(room, self.told[0])
        if self.calls < PLENTY:
            room -= int(self.calls * reserve)
        return max(room, 0) // self.most

    def _leaving(self, until: float) -> int:
        calls = 0
        for one in self.ended:
            if one.at > until - self.limit.per:
                break
            calls += one.calls
        return calls

    def spend(self, calls: int, now: float, *, job: bool = True, most: int = 0) -> None:
        """Count calls that have arrived by `now` (unix seconds), which may be a while ago.

        Args:
            job: They are one job's, not what others have used.
            most: As many as that job has made in all, where these are some of them.
        """
        if calls <= 0:
            return
        grain = self.limit.per / GRAINS
        most = max(calls, most) if job else 1
        place = bisect_right(self.ended, now, key=lambda one: one.at)
        last = self.ended[place - 1] if place else None
        if last is not None and int(last.at / grain) == int(now / grain):
            last.at, last.calls, last.most = now, last.calls + calls, max(last.most, most)
        else:
            self.ended.insert(place, Spent(now, calls, most))
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

    def delay(self, now: float, *, calling: int) -> float:
        """Say in how many seconds a job may begin to call, beside so many that call already.

        A window's worth that goes at once comes back at once, window after window, and holds up
        whatever else there is to do: what is more than a part of it is spread.
        """
        if self.left(now) <= calling:
            return max(self.wait(now) or self.limit.per, MOMENT)
        if self.calls == PLENTY or self.spent + calling < max(AT_ONCE * self.calls, FEW):
            return 0.0
        return max(self.even - CATCH_UP - now, 0.0)

    def begin(self, now: float) -> None:
        """Note that a job begins to call."""
        gap = min(self.limit.per, EVENLY_WITHIN) / max(self.calls, 1) / HASTE
        self.even = max(self.even, now) + gap

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
