"""What most commands stand on: the configuration, the store, and how rows are printed."""

import asyncio
import gc
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hub.errors import ConfigError, Fault, HubError
from hub.model import Json, write_json

if TYPE_CHECKING:
    from hub.config import Config
    from hub.parts import Accounts
    from hub.pull import Puller
    from hub.syncing import Syncer
    from store.store import Store

Result = TypeVar("Result")
ConfigFile = Annotated[
    Path, typer.Option("--config", envvar="HUB_CONFIG", help="The configuration file.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most rows.")]
DEFAULT = Path("config.yaml")
SELDOM = (10_000, 20, 20)  # objects made before the collector looks, and how often it looks wider


def new(help_text: str, *, lists: bool = False) -> typer.Typer:
    """Make a command's application; `lists` ones list when no subcommand is named."""
    return typer.Typer(
        help=help_text,
        invoke_without_command=lists,
        no_args_is_help=False,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def load(path: Path) -> "Config":
    """Read the configuration.

    Raises:
        ConfigError: There is no such file, or it has faults.
    """
    from hub import config  # noqa: PLC0415 -- only commands that need it pay for it
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    there(path)
    return config.load(path, env=environment(path), shop=VOCABULARY)


def there(path: Path) -> None:
    """Raise unless there is such a file."""
    if not path.is_file():
        text = f"{path} does not exist"
        raise ConfigError(
            Fault(code="file.missing", text=text, fix="hub init, or --config FILE, or HUB_CONFIG")
        )


def environment(path: Path) -> dict[str, str]:
    """Give what `${env:}` reads for a configuration: the environment, below it `.env` beside it."""
    from hub.config.dotenv import environment as beside  # noqa: PLC0415

    return beside(path, os.environ)


@contextmanager
def kept() -> Iterator[None]:
    """Make what stays to the process's end: the collector does not look through it, ever.

    What is made later mostly goes by itself: at Python's own thresholds looking took a seventh of
    a hub's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*SELDOM)
        gc.enable()


@asynccontextmanager
async def opened(config: "Config") -> AsyncIterator["Store"]:
    """Open the store beside a hub that may be running."""
    from hub.clock import SystemClock  # noqa: PLC0415
    from hub.routing import Router  # noqa: PLC0415
    from store.engine import FAILURE  # noqa: PLC0415
    from store.store import Store  # noqa: PLC0415

    store = await Store.open(
        config.store.url,
        keys=config.store.encryption_keys,
        clock=SystemClock(),
        route=Router(config.routes, config.hash).jobs_for,
    )
    try:
        yield store
    except FAILURE as error:
        raise HubError(f"the store cannot be read: {error.orig}") from error
    finally:
        await store.close()


def with_store(path: Path, work: Callable[["Store"], Awaitable[Result]]) -> Result:
    """Run a command's work on the configured store."""
    return asyncio.run(on_store(load(path), work))


async def on_store(config: "Config", work: Callable[["Store"], Awaitable[Result]]) -> Result:
    """Do work on the store of a configuration already read."""
    async with opened(config) as store:
        return await work(store)


@asynccontextmanager
async def pulling(config: "Config") -> AsyncIterator["Puller"]:
    """Open the sources of events beside a hub that may be running.

    Raises:
        HubError: `service.outbound` lets nobody ask a provider.
    """
    from hub import parts  # noqa: PLC0415

    askable(config, [name for name, one in config.connectors.items() if one.cls.sources()])
    async with _accounts(config) as (store, made):
        yield parts.puller(config, store, made, store.clock, all_of_them=True)


@asynccontextmanager
async def syncing(config: "Config") -> AsyncIterator["Syncer"]:
    """Open the syncs beside a hub that may be running."""
    from hub import parts  # noqa: PLC0415

    async with _accounts(config) as (store, made):
        yield parts.syncer(config, store, made, store.clock)


def askable(config: "Config", names: Iterable[str]) -> None:
    """Raise where `service.outbound` lets nobody ask one of these connectors' providers."""
    from hub.config import standin  # noqa: PLC0415

    for name in names:
        if config.outbound != "live" and not standin.local(config.connectors[name]):
            fix = "set it to live to do so"
            text = f"service.outbound is {config.outbound}: {name} may not be asked; {fix}"
            raise HubError(text)


@asynccontextmanager
async def _accounts(config: "Config") -> AsyncIterator[tuple["Store", "Accounts"]]:
    from hub import parts  # noqa: PLC0415
    from hub.http import Outbound  # noqa: PLC0415

    async with opened(config) as store, Outbound(store.clock) as out:
        made = parts.accounts(config, out)
        await store.know_accounts(list(made))
        yield store, made


def me() -> str:
    """Name the person at this terminal, for the audit."""
    return f"{getpass.getuser()}@cli"


def show(rows: Sequence[dict[str, Json]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as JSON, or as a table of some columns."""
    if as_json:
        return print_json(list(rows))
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    console = Console(width=None if os.isatty(1) else 200)
    console.print(table if rows else "nothing")
    return None


def print_json(value: Json) -> None:
    """Print one JSON value, indented."""
    import msgspec  # noqa: PLC0415

    typer.echo(msgspec.json.format(write_json(value), indent=2).decode())


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).replace("[", r"\[")
