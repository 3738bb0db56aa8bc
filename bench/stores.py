"""Stores to measure on: a SQLite file, and a PostgreSQL of the wheel, both as durable as served."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from hub.clock import SystemClock
from hub.secrets import Secret
from store.crypto import new_key
from store.store import Store
from tests.postgres import make_database, own_server

DURABLE = ("fsync = on", "synchronous_commit = on", "max_connections = 100")


@asynccontextmanager
async def stores(folder: Path, **how: Any) -> AsyncIterator[dict[str, Store]]:
    """Open one of each sort, by its name."""
    async with AsyncExitStack() as ends:
        server = own_server(DURABLE)
        ends.callback(server.stop)
        url = (await make_database(server)).render_as_string(hide_password=False)
        opened = {}
        for name, where in (("SQLite", f"sqlite:///{folder}/bench.db"), ("PostgreSQL", url)):
            keys = [Secret(new_key())]
            store = await Store.open(where, keys=keys, clock=SystemClock(), served=True, **how)
            ends.push_async_callback(store.close)
            opened[name] = store
        yield opened
