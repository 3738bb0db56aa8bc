"""Watching the folder of the configuration: told once it has changed and then kept still a while.

It looks at the folder, not the file: a mounted ConfigMap swaps a link, an editor writes another
file in the place of the first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from hub.clock import Clock

EVERY, STILL = 0.5, 0.2
READ = frozenset({".yaml", ".yml", ".json"})
MOST = 5000
Signature = frozenset[tuple[str, int, int, int]]


async def watch(
    clock: Clock, look: Callable[[], Signature], changed: Callable[[], Awaitable[object]]
) -> None:
    """Tell of every change, for ever; while files are still being written it waits."""
    seen = await asyncio.to_thread(look)
    while True:
        await clock.sleep(EVERY)
        found = await asyncio.to_thread(look)
        if found == seen:
            continue
        while True:
            await clock.sleep(STILL)
            still = await asyncio.to_thread(look)
            if still == found:
                break
            found = still
        seen = found
        await changed()


def signature(files: Iterable[str]) -> Signature:
    """Tell apart two states of these files, and of what could be read beside and below them."""
    folders = {Path(file).parent for file in files}
    found = {path for folder in folders for path in _readable(folder)}
    return frozenset(
        one for path in {*found, *map(Path, files)} if (one := _state(path)) is not None
    )


def _readable(folder: Path) -> Iterator[Path]:
    """Yield what an include could name: in the folder and in those right below it."""
    for pattern in ("*", "*/*"):
        for n, path in enumerate(folder.glob(pattern)):
            if n >= MOST:
                break
            if path.suffix in READ or path.name == ".env":
                yield path


def _state(path: Path) -> tuple[str, int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino
