"""What a hub does by itself, over and over, beside its worker; one that fails goes on later."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from hub import log
from hub.clock import Clock


class Duties:
    """The standing tasks of one hub."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log = log.get("duties")
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, forever: Coroutine[None, None, None]) -> None:
        """Run what never ends by itself."""
        self._tasks.append(asyncio.create_task(forever))

    def every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Do this each so many seconds, the first time after as many."""
        self.begin(self._repeat(seconds, work))

    def alive(self) -> bool:
        """Say whether all of them still run."""
        return not any(task.done() for task in self._tasks)

    async def end(self) -> None:
        """Cancel all of them and wait until they have let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self.clock.sleep(seconds)
            try:
                await work()
            except Exception:  # whatever it was, the next round may go well
                self.log.exception("duty failed")
