"""Notices what a command beside the hub has written into its store."""

from hub import log
from hub.clock import Clock
from store.store import Store

EVERY, AFTER_AN_ERROR = 0.5, 5.0

logger = log.get("neighbours")


async def watch(store: Store, clock: Clock) -> None:
    """Wake the worker whenever another process has written; for ever."""
    while True:
        try:
            await _watch(store, clock)
        except Exception:  # the store may come back
            logger.exception("duty failed")
        await clock.sleep(AFTER_AN_ERROR)


async def _watch(store: Store, clock: Clock) -> None:
    async with store.read() as connection:
        seen = await store.data_version(connection)
        while True:
            await clock.sleep(EVERY)
            found = await store.data_version(connection)
            if found != seen:
                seen = found
                store.changed.set()
