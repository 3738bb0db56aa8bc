"""What one run of a mapping may spend: rounds of `$for`, work, and room in its result."""

from typing import NoReturn

from mappings.results import MAX_LEVELS
from mappings.values import Stop

MAX_ROUNDS = 10_000
MAX_WORK = 500_000  # nodes evaluated: about 100 ms


class Budget:
    """What one run may still spend.

    Args:
        room: Bytes of the result, as the quick program counts them.
        levels: How deep a value may be that becomes part of the result.
    """

    __slots__ = ("levels", "room", "rounds", "work")

    def __init__(self, room: int = 1 << 62, levels: int = MAX_LEVELS) -> None:
        self.rounds, self.work = MAX_ROUNDS, MAX_WORK
        self.room, self.levels = room, levels

    def spend(self, work: int) -> None:
        """Take work off, or stop."""
        self.work -= work
        if self.work < 0:
            spent(self)

    def take(self, size: int) -> None:
        """Take room off, or stop."""
        self.room -= size
        if self.room < 0:
            spent(self)


class Spent(Stop):
    """The work of one run is used up: no second run may find out where."""


def spent(budget: Budget) -> NoReturn:
    """Stop at what is used up."""
    if budget.work < 0:
        raise Spent("mapping.large", "{path}: more work than one mapping may do")
    raise Stop("mapping.large", "{path} makes the result too large")
