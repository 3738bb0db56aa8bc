"""Stores to measure on, as durable as served: SQLite files, and PostgreSQL of the wheel."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from hub.clock import SystemClock
from hub.secrets import Secret
from store.crypto import new_key
from store.store import Store
from tests.postgres import Postgres, own_server

DURABLE = ("fsync = on", "synchronous_commit = on", "max_connections = 100")
KEYS = [Secret(new_key())]


async def opened(url: str, **how: Any) -> Store:
    """Open a store as a hub does."""
    return await Store.open(url, keys=KEYS, clock=SystemClock(), served=True, **how)


@asynccontextmanager
async def urls(folder: Path, *names: str) -> AsyncIterator[dict[str, dict[str, str]]]:
    """Give URLs of fresh stores, one for each name, by their sort."""
    server = own_server(DURABLE)
    try:
        there = {name: await database(server, f"bench_{n}") for n, name in enumerate(names)}
        files = {name: f"sqlite:///{folder}/bench_{n}.db" for n, name in enumerate(names)}
        yield {"SQLite": files, "PostgreSQL": there}
    finally:
        server.stop()


async def database(server: Postgres, name: str) -> str:
    """Make one; give its URL."""
    await server.ask(f"CREATE DATABASE {name}")
    return server.named(name).render_as_string(hide_password=False)


@asynccontextmanager
async def stores(folder: Path, **how: Any) -> AsyncIterator[dict[str, Store]]:
    """Open one of each sort, by its name."""
    async with AsyncExitStack() as ends:
        found = await ends.enter_async_context(urls(folder, "one"))
        stores = {}
        for sort, named in found.items():
            stores[sort] = await opened(named["one"], **how)
            ends.push_async_callback(stores[sort].close)
        yield stores


def pieces(count: int, most: int = 5_000) -> Iterator[range]:
    """Cut so many rows into commits."""
    return (range(at, min(at + most, count)) for at in range(0, count, most))
