"""Stores for whole hubs: a fresh file, or a fresh database on a server that may be crashed."""

import asyncio
import itertools
import os
from pathlib import Path

import pytest

from store.store import Store
from tests.postgres import Postgres

_count = itertools.count()


async def fresh_database(server: Postgres) -> str:
    """Make an empty database; a hub makes its tables. Give its URL."""
    url = server.named(f"hub_chaos_{os.getpid()}_{next(_count)}")
    await server.ask(f"CREATE DATABASE {url.database}")
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URL of one store for all tests of a module, once for each sort."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('file')}/hub.db"
    else:
        server: Postgres = request.getfixturevalue("crashable")
        url = asyncio.run(fresh_database(server))
    asyncio.run(Store.migrate(url))
    return url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
