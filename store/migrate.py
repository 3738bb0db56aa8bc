"""Bringing a store's tables up to this release: expand first, contract one release later."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from hub.errors import ConfigError, Fault

HERE = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Run the migrations a store lacks, in one transaction.

    Raises:
        ConfigError: The store is of a later release.
    """
    with engine.begin() as connection:
        if _behind(connection):
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def require(engine: Engine) -> None:
    """Raise unless the store is at this release.

    Raises:
        ConfigError: It is empty, of an earlier or of a later release.
    """
    with engine.connect() as connection:
        if _behind(connection):
            text = "the store is not at this release"
            raise ConfigError(Fault(code="store.migrate", text=text, fix="hub migrate"))


def state(engine: Engine) -> tuple[str | None, str | None]:
    """Say which migration the store is at, and which is this release's."""
    with engine.connect() as connection:
        return _found(connection), _scripts().get_current_head()


def _behind(connection: Connection) -> bool:
    scripts, found = _scripts(), _found(connection)
    if found is not None and found not in {step.revision for step in scripts.walk_revisions()}:
        text = f"the store is at migration {found}, which this release does not know"
        raise ConfigError(Fault(code="store.newer", text=text, fix="run the later release"))
    return found != scripts.get_current_head()


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return config
