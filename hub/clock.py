"""The hub's only source of time; everything that waits or stamps takes a clock."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the time and lets a task wait."""

    def now(self) -> datetime:
        """Say what time it is, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once so many seconds have passed on this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Say what time it is, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return once so many seconds have passed."""
        await asyncio.sleep(max(seconds, 0))


class ManualClock:
    """A clock that moves only when told; for tests and simulations."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Say where the clock stands."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the clock so far."""
        if seconds <= 0:
            return await asyncio.sleep(0)
        self._count += 1
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._sleepers, (due, self._count, wake))
        return await wake

    def advance(self, seconds: float) -> None:
        """Move on, waking in order those whose time has come."""
        self._now += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                wake.set_result(None)
