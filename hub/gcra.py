"""How much a caller may do: the generic cell rate algorithm, a pure rule on one number.

That number is the time at which the caller's allowance would be whole again. A whole allowance
may be spent at once; it comes back evenly.
Source: ITU-T I.371, the virtual scheduling form.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_CALLERS = 10_000
ROUNDING = 1e-6  # seconds: a float of today's time is no finer than a quarter of it


@dataclass(frozen=True, slots=True)
class Quota:
    """So many units within `window` seconds."""

    units: int
    window: float

    @property
    def each(self) -> float:
        """Give the seconds in which one unit comes back."""
        return self.window / self.units


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a caller has left.

    Args:
        allowed: The unit asked for was granted.
        left: Whole units that could be spent now.
        wait: Seconds until one more unit is there; 0 where one is.
        whole_at: When the allowance is whole again, as `spend` takes it.
    """

    allowed: bool
    left: int
    wait: float
    whole_at: float


def spend(quota: Quota, whole_at: float, now: float) -> Allowance:
    """Ask for one unit.

    >>> quota = Quota(2, window=10)
    >>> first = spend(quota, 0, now=100)
    >>> second = spend(quota, first.whole_at, now=100)
    >>> third = spend(quota, second.whole_at, now=101)
    >>> first.allowed, first.left, second.allowed, second.left, third.allowed, third.wait
    (True, 1, True, 0, False, 4.0)
    """
    begun = max(whole_at, now)
    after = begun + quota.each
    allowed = after - now <= quota.window + ROUNDING
    return allowance(quota, after if allowed else begun, now, allowed=allowed)


def allowance(quota: Quota, whole_at: float, now: float, *, allowed: bool = True) -> Allowance:
    """Say what is left, spending nothing."""
    owed = max(0.0, whole_at - now)
    left = int((quota.window - owed) / quota.each + 1e-6)
    wait = 0.0 if left > 0 else owed + quota.each - quota.window
    return Allowance(allowed=allowed, left=left, wait=wait, whole_at=max(whole_at, now))


@dataclass(slots=True)
class Meter:
    """The allowances of many callers on this node; the one not seen longest is forgotten first."""

    quota: Quota
    most: int = MOST_CALLERS
    _whole: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def spend(self, caller: str, now: float) -> Allowance:
        """Ask for one unit for a caller."""
        found = spend(self.quota, self._whole.pop(caller, 0.0), now)
        self._whole[caller] = found.whole_at
        while len(self._whole) > self.most:
            self._whole.popitem(last=False)
        return found

    def look(self, caller: str, now: float) -> Allowance:
        """Say what a caller has left, spending nothing."""
        return allowance(self.quota, self._whole.get(caller, 0.0), now)
