"""An event loop in virtual time: when nothing is ready, the clock jumps to the next timer.

Nothing sleeps, no thread runs and no socket is open, so the same seed gives the same run.
"""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


class Idle(Exception):
    """Everything waits and no timer runs: nothing will ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The scheduler of asyncio itself, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0
        self._selector = self
        self.begun: list[Coroutine[Any, Any, Any]] = []
        self._clock_resolution = 1e-9
        self.set_task_factory(_quiet_task)

    def time(self) -> float:
        return self._at

    def now(self) -> datetime:
        """Say what time it is in the world that is played."""
        return START + timedelta(seconds=self._at)

    def select(self, timeout: float | None) -> list[Any]:
        """Move on to the next timer instead of waiting for it."""
        if timeout is None:
            raise Idle
        if timeout > 0:
            self._at = max(self._at, self._scheduled[0]._when)
        return []

    def close(self) -> None:
        """Let go: what tasks of dead nodes still do when they are dropped comes to nothing."""
        self._ready.clear()
        self._scheduled.clear()
        for work in self.begun:
            if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                work.close()  # or Python says that nobody has awaited it

    def __del__(self) -> None: ...

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...


def _quiet_task(loop: Any, work: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    """Make a task that may be dropped unfinished, as those of a crashed node are."""
    loop.begun.append(work)
    task = asyncio.Task(work, loop=loop, **more)
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    return task


class Machine:
    """What a process runs on: it may stall, so that all that happens to it comes late, or die."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.alive, self.asleep_until = True, 0.0

    def after(self, seconds: float, happens: Callable[..., object], *args: Any) -> None:
        """Have something happen to it in so many seconds."""
        self.loop.call_later(seconds, self._happens, happens, *args)

    def _happens(self, happens: Callable[..., object], *args: Any) -> None:
        if not self.alive:
            return
        if self.loop.time() < self.asleep_until:
            self.loop.call_at(self.asleep_until, self._happens, happens, *args)
            return
        happens(*args)

    # -- as its clock ------------------------------------------------------------------------------
    def now(self) -> datetime:
        return self.loop.now()

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = self.loop.create_future()
        self.after(max(seconds, 0), _wake, woken)
        await woken


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
