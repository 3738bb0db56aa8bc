"""What a store says at the end, read past the hubs; the double's ledger is asked first."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text

from hub.clock import SystemClock
from hub.secrets import Secret
from store import operate
from store.store import Store
from store.verify import verify
from tests.chaos.nodes import Setting

LIVE = "SELECT state, count(*) FROM jobs GROUP BY state"
UNSURE = """SELECT j.uid, e.ext_id FROM jobs j JOIN events e ON e.id = j.event_id
    WHERE j.state = 'u'"""
ENDED = "SELECT e.ext_id, h.state FROM job_history h JOIN events e ON e.id = h.event_id"
TWICE = """SELECT job, count(*) FROM attempts WHERE outcome = 'ok'
    GROUP BY job HAVING count(*) > 1"""


class Books:
    """A store, read and set right as a person beside the hubs does."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.store.read() as connection:
            return list(await connection.execute(text(sql), values))

    async def states(self) -> Counter[str]:
        """Count live jobs by state."""
        return Counter(dict(await self.rows(LIVE)))

    async def uncertain(self) -> dict[str, str]:
        """Give the uids of uncertain jobs, each with the provider's id of its event."""
        return {row.uid: row.ext_id for row in await self.rows(UNSURE)}

    async def ended(self, ids: Sequence[str]) -> list[tuple[str, str]]:
        """Give what became of the jobs of these events."""
        found = await self.rows(ENDED)
        return sorted((row.ext_id, row.state) for row in found if row.ext_id in ids)

    async def settle(self, uid: str) -> None:
        """Settle an uncertain job as a person does who has looked."""
        await self.store.write(lambda tx: operate.settle_by_hand(tx, uid, "done", by="tester"))

    async def completed_twice(self) -> list[Any]:
        return await self.rows(TWICE)

    async def broken(self) -> list[Any]:
        """Give the checks of `hub verify` that do not hold."""
        async with self.store.read() as connection:
            return [one for one in await verify(connection) if one["broken"]]


@asynccontextmanager
async def books(setting: Setting) -> AsyncIterator[Books]:
    """Open the store of a stage beside its hubs."""
    store = await Store.open(
        setting.store, keys=[Secret(setting.key, "test")], clock=SystemClock(), served=False
    )
    try:
        yield Books(store)
    finally:
        await store.close()
