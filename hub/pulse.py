"""The pulse of a hub: does its event loop keep up, and does its store answer."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

BEAT = 0.5
BEATS = 10
WORST = 1.0
WITHIN = 1.5


class Pulse:
    """Felt every half second, on the machine's own clock: it is the machine that is asked.

    Args:
        ask: Asks the store for anything; raises where it does not answer.

    Attributes:
        silent: Why the store does not answer, where it does not.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self._ask = ask
        self.silent: str | None = None
        self._lags: deque[float] = deque(maxlen=BEATS)

    async def forever(self) -> None:
        """Feel it until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            self._lags.append(max(time.monotonic() - before - BEAT, 0.0))
            self.silent = await self._answer()

    def lag(self) -> float:
        """Give the worst lag of the loop in the last seconds."""
        return max(self._lags, default=0.0)

    def lagging(self) -> str | None:
        """Say that the loop does not keep up, where it does not."""
        lag = self.lag()
        return None if lag < WORST else f"the event loop lags by {lag:.1f} s"

    async def _answer(self) -> str | None:
        try:
            async with asyncio.timeout(WITHIN):
                await self._ask()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the store is not to be had
            return f"the store does not answer: {type(error).__name__}"
        return None
