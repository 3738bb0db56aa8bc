"""The bell between nodes on PostgreSQL: NOTIFY after a commit, LISTEN on a connection of its own.

It only shortens the wait: polling is the truth, so nothing is lost where nobody hears it. Behind a
pooler nobody can listen. NOTIFY takes a lock of the whole server until its transaction commits, so
it never rides in one that has other work, and many commits ring once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from store import engine, feed

CHANNEL = "hub_changed"
EVERY = 0.075
SWEEP = 1.0
AGAIN_AFTER = 0.5
ALIVE_EVERY = 5.0
TROUBLE = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Bell:
    """Rings for other nodes and hears theirs.

    Args:
        reading: The same pool for single statements, which need no transaction but behind a pooler.
        heard: Called when this node or another has written what may be claimed.
    """

    def __init__(
        self, url: URL, pool: AsyncEngine, *, reading: AsyncEngine, heard: Callable[[], None]
    ) -> None:
        self.url, self.pool, self.reading, self.heard = url, pool, reading, heard
        self._rung = asyncio.Event()
        self._others = False  # they are to be woken
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, *, listen: bool) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._ring_out())]
        if listen and not engine.is_pooled(self.url):
            self._tasks.append(asyncio.create_task(self._listen()))

    def ring(self) -> None:
        """Wake this node at once, the others soon."""
        self.heard()
        self._others = True
        self._rung.set()

    def number(self) -> None:
        """Have new events numbered soon; that alone wakes nobody."""
        self._rung.set()

    async def close(self) -> None:
        """Ring a last time where it is due, then end."""
        self._closing = True
        self._rung.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- ringing -----------------------------------------------------------------------------------
    async def _ring_out(self) -> None:
        """Number new events and tell the other nodes, at most once in EVERY seconds."""
        while not self._closing:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP):
                    await self._rung.wait()
            wake, self._others = self._others, False
            self._rung.clear()
            with suppress(*TROUBLE):
                await self._ring_once(wake=wake)
            if not self._closing:
                await asyncio.sleep(EVERY)

    async def _ring_once(self, *, wake: bool) -> None:
        await feed.number(self.pool)
        if wake:
            async with self.reading.begin() as connection:
                await connection.execute(text(f"NOTIFY {CHANNEL}"))

    # -- listening ---------------------------------------------------------------------------------
    async def _listen(self) -> None:
        """Listen; after a lost connection, listen again and look for what was missed."""
        while True:
            with suppress(*TROUBLE):
                await self._listen_once()
            await asyncio.sleep(AGAIN_AFTER)

    async def _listen_once(self) -> None:
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, **engine.driver_settings(self.url))
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            await connection.add_listener(CHANNEL, lambda *_: self.heard())
            self.heard()
            while not gone.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_EVERY):
                        await gone.wait()
                if not gone.is_set():
                    await connection.execute("SELECT 1")  # a half-open connection says nothing
        finally:
            connection.terminate()
