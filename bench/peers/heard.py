"""What a peer's provider heard: which calls, and how often each."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

NUMBER = re.compile(rb'"n": ?(\d+)|"pi_\d+_(\d+)"')
PATH = re.compile(rb" /(\w+)")
WITHIN, BACK = 60.0, 25.0


@dataclass(slots=True)
class Heard:
    """The provider's book: how often each path was called for each number, and when last."""

    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    last: float = 0.0

    def note(self, asked: bytes) -> None:
        """Note a call."""
        number, path = NUMBER.search(asked), PATH.search(asked)
        if number is not None and path is not None:
            self.last = time.perf_counter()
            self.calls[path[1].decode(), int(number[1] or number[2])] += 1

    async def until(self, count: int, within: float) -> bool:
        """Wait until so many different calls came; say whether they did in time."""
        end = time.perf_counter() + within
        while len(self.calls) < count and time.perf_counter() < end:  # noqa: ASYNC110 -- in steps
            await asyncio.sleep(0.02)
        return len(self.calls) >= count

    async def done(self, count: int) -> None:
        """Wait for all.

        Raises:
            RuntimeError: They did not come in time.
        """
        if not await self.until(count, WITHIN):
            raise RuntimeError(f"{count - len(self.calls)} of {count} calls did not come")

    def missing(self, paths: Collection[str], numbers: Collection[int]) -> int:
        """Count the numbers for which not every path was called."""
        return sum(1 for n in numbers if any((path, n) not in self.calls for path in paths))

    def twice(self) -> int:
        """Count the calls that came more than once."""
        return sum(1 for times in self.calls.values() if times > 1)
