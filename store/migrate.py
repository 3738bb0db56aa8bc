"""Bringing a store's tables up to this release: expand first, contract one release later."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hub.errors import ConfigError, Fault

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
        text = "the store is not at this release"
        raise ConfigError(Fault(code="store.migrate", text=text, fix="hub migrate"))


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def heads() -> list[str]:
    """Name the last migration of this release."""
    return _scripts().get_heads()


def _behind(connection: Connection) -> bool:
    scripts, at = _scripts(), _found(connection)
    if at == COPYING:
        text = "the store is half of a copy"
        raise ConfigError(Fault(code="store.copy", text=text, fix="hub store copy, once more"))
    if at is not None and at not in {step.revision for step in scripts.walk_revisions()}:
        text = f"the store is at migration {at}, which this release does not know"
        raise ConfigError(Fault(code="store.newer", text=text, fix="run the later release"))
    return at != scripts.get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return config
