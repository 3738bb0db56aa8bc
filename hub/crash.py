"""Crash points: where a test lets the hub's process end or freeze at once, as a power cut does.

`HUB_CRASH_AT=B_after:nth=3` ends the process the third time it passes `B_after`; with `:stop` it is
frozen there (SIGSTOP) until someone lets it go on. Without the variable a point does nothing. The
points are those of docs/guarantees.md: A, B_before, B_after, D_after, E_after, F_before, F_after;
`before` is inside the transaction. `hub store copy` has two more: M_piece, after each piece that it
has committed, and M_before, when all are there and it has not ended. `hub secrets rotate` has
R_piece, after each piece that it has committed.
"""

import os
import re
import signal

VARIABLE = "HUB_CRASH_AT"
_ASKED = re.compile(r"(?P<point>\w+)(?P<stop>:stop)?(?::nth=(?P<nth>[1-9]\d*))?")


class _Armed:
    """One point that is armed, and how often it may still be passed."""

    def __init__(self, asked: str) -> None:
        found = _ASKED.fullmatch(asked)
        if found is None:
            raise SystemExit(f"{VARIABLE} wants POINT, POINT:nth=N or POINT:stop:nth=N")
        self.point, self.left = found["point"], int(found["nth"] or 1)
        self.signal = signal.SIGSTOP if found["stop"] else signal.SIGKILL

    def passed(self, point: str) -> None:
        """Count one passing."""
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.signal)


def _nothing(point: str) -> None:
    """Pass by."""


at = _nothing


def arm() -> None:
    """Arm the point that the environment names, if it names one."""
    global at  # noqa: PLW0603 -- so that an unarmed point costs one empty call
    asked = os.environ.get(VARIABLE)
    at = _Armed(asked).passed if asked else _nothing
