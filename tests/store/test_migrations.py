"""Migrations: on either store they lead to the tables this release speaks to."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from hub.errors import ConfigError
from store import engine, migrate, schema
from store.places import Place, place
from store.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    return request.getfixturevalue("empty_database").render_as_string(hide_password=False)


async def asked(url: str, work):
    found: Place = place(engine.parse(url), asyncio.Event())
    try:
        return await found.migrating(work)
    finally:
        await found.close()


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, schema.metadata))


def parts(connection: Connection) -> dict[str, object]:
    """Give what alembic does not compare: conditions of indexes, checks, keys, storage."""
    found = inspect(connection)
    return {
        name: (
            {one["name"]: _words(one["dialect_options"]) for one in found.get_indexes(name)},
            sorted(str(one["sqltext"]) for one in found.get_check_constraints(name)),
            found.get_pk_constraint(name)["constrained_columns"],
            _storage(connection, name),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def _words(options: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def _storage(connection: Connection, table: str) -> list[object]:
    if connection.dialect.name == "sqlite":
        made = "SELECT strict, sql LIKE '%AUTOINCREMENT%' FROM pragma_table_list t"
        made += " JOIN sqlite_master m ON m.name = t.name WHERE t.name = :name"
    else:
        made = "SELECT reloptions FROM pg_class WHERE relname = :name"
    return [tuple(row) for row in connection.execute(text(made), {"name": table})]


async def test_migrations_lead_to_the_tables_of_this_release(empty_url) -> None:
    before, after = await Store.migrate(empty_url)
    assert before is None
    assert after is not None
    assert await asked(empty_url, differences) == []


async def test_they_are_the_tables_as_declared_to_the_last_condition(empty_url) -> None:
    def declared(connection: Connection):
        schema.metadata.create_all(connection)
        told = parts(connection)
        schema.metadata.drop_all(connection)
        return told

    wanted = await asked(empty_url, declared)
    await Store.migrate(empty_url)
    assert await asked(empty_url, parts) == wanted
    assert {"jobs", "orders"} <= wanted.keys()


async def test_migrating_twice_changes_nothing(empty_url) -> None:
    _, first = await Store.migrate(empty_url)
    assert await Store.migrate(empty_url) == (first, first)


async def test_a_store_without_tables_is_refused_with_the_command_that_makes_them(
    empty_url, clock, key
) -> None:
    with pytest.raises(ConfigError, match=r"(?s)store\.migrate.*hub migrate"):
        await Store.open(empty_url, keys=[key], clock=clock)


async def test_nodes_that_start_together_migrate_once(empty_database) -> None:
    url = empty_database.render_as_string(hide_password=False)
    told = await asyncio.gather(*(Store.migrate(url) for _ in range(4)))
    assert sorted(before is None for before, _ in told) == [False, False, False, True]
    assert await asked(url, differences) == []


def test_the_last_migration_is_known_by_its_file():
    assert migrate.heads() == [migrate.newest()]
