"""Admission: what the hub turns away, with when to come again, before it is lost itself.

Only what would write is asked; reads, `/livez` and `/metrics` are always answered. Nothing that is
turned away was told yes: providers send again, and the reconciler finds what they did not.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from hub import metrics
from hub.config.settings import Limits
from hub.errors import Refused

LOOK = 10.0
RETRY_AFTER = {"memory": 1, "store": 5, "backlog": 30, "disk": 60}
"""Why a request is turned away, and after how many seconds it may come again."""


class Admission:
    """Says whether there is room for one more, and counts what is carried.

    Args:
        limits: Gives the limits in force.
        waits: Gives for how many seconds the oldest unit has waited for the store's writer.
        room: Gives how many bytes are left where the store's file is; None where it has none.

    Attributes:
        carried: Bytes of bodies that have come, or are coming, and are not answered yet.
    """

    def __init__(
        self,
        limits: Callable[[], Limits],
        *,
        waits: Callable[[], float],
        room: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._limits, self._waits, self._room = limits, waits, room
        self.carried, self._backlog = 0, 0.0
        self._left = room()

    def look(self, backlog: float) -> None:
        """Note what is too dear to ask at each request.

        Args:
            backlog: For how many seconds the job that is due the longest has been due.
        """
        self._backlog, self._left = backlog, self._room()

    def full(self, size: int = 0) -> str | None:
        """Say why there is no room for a request with a body of so many bytes, if there is none."""
        limits = self._limits()
        if self.carried and self.carried + size > limits.in_flight:
            return "memory"
        if self._waits() > limits.store_wait.total_seconds():
            return "store"
        if self._left is not None and self._left < limits.disk_free:
            return "disk"
        most = limits.backlog_age
        return "backlog" if most is not None and self._backlog > most.total_seconds() else None

    @contextmanager
    def carrying(self, request: web.Request) -> Iterator[None]:
        """Count a request's body among those in flight, until it is answered.

        Raises:
            Refused: overloaded: there is no room for it.
        """
        most, length = self._limits().body, request.content_length
        size = most if length is None else min(length, most)
        if (why := self.full(size)) is not None:
            metrics.turned_away.labels(why).inc()
            raise Refused("overloaded", f"no room: {why}", retry_after=RETRY_AFTER[why])
        self.carried += size
        try:
            yield
        finally:
            self.carried -= size


def room_beside(file: str | None) -> Callable[[], int | None]:
    """Give what measures the bytes left on the disk of a file."""
    if not file:
        return lambda: None
    folder = Path(file).resolve().parent
    return lambda: shutil.disk_usage(folder).free
