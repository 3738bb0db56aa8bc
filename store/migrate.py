"""Bringing a store's tables up to this release: expand first, contract one release later.

Alembic is imported only where there is something to bring up: most commands need none of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from hub.errors import ConfigError, Fault

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

COPYING = "copying"
"""Where a store is while another is copied into it: see store.moving."""
HERE = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> tuple[str | None, str | None]:
    """Run the migrations a store lacks, in the transaction at hand.

    Returns:
        The migration it was at, and the one it is at now.

    Raises:
        ConfigError: The store is of a later release.
    """
    before = _found(connection)
    if _behind(connection):
        from alembic import command  # noqa: PLC0415

        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, _found(connection)


def require(connection: Connection) -> None:
    """Raise unless the store is at this release.

    Raises:
        ConfigError: It is empty, of an earlier or of a later release.
    """
    if _behind(connection):
        what = "the store is not at this release"
        raise ConfigError(Fault(code="store.migrate", text=what, fix="hub migrate"))


def _found(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def heads() -> list[str]:
    """Name the last migration of this release."""
    return _scripts().get_heads()


def newest() -> str:
    """Name the last migration of this release by its file, which begins with its number."""
    return max(path.name.partition("_")[0] for path in (HERE / "versions").glob("[0-9]*.py"))


def _behind(connection: Connection) -> bool:
    at = _found(connection)
    if at == newest():
        return False
    if at == COPYING:
        what = "the store is half of a copy"
        raise ConfigError(Fault(code="store.copy", text=what, fix="hub store copy, once more"))
    if at is not None and at not in {step.revision for step in _scripts().walk_revisions()}:
        what = f"the store is at migration {at}, which this release does not know"
        raise ConfigError(Fault(code="store.newer", text=what, fix="run the later release"))
    return True


def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(_config())


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return config
