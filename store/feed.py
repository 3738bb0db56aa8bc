"""The order of the event feed where several nodes write.

`events.n` is drawn before commit, so a lower one may become visible after a higher one, and a
reader who goes on from the last it saw would miss it. So each event leaves its `n` in
`feed_waiting`; after commit, one node at a time moves those it sees to `feed`, in order. A place,
once visible, never gets a lower neighbour.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

NUMBERING = 0x5A0C  # the advisory lock under which one node numbers

_NUMBER = text(
    """WITH moved AS (DELETE FROM feed_waiting RETURNING n)
       INSERT INTO feed (n) SELECT n FROM moved ORDER BY n"""
)
_MINE = text("SELECT pg_try_advisory_xact_lock(:it) WHERE EXISTS (SELECT 1 FROM feed_waiting)")


async def number(pool: AsyncEngine) -> None:
    """Give the events committed so far their places, unless another node is at it."""
    async with pool.begin() as connection:
        if (await connection.execute(_MINE, {"it": NUMBERING})).scalar():
            await connection.execute(_NUMBER)
