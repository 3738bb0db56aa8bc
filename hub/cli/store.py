"""`hub store`: move a shop from its SQLite file to a PostgreSQL database."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from hub import crash
from hub.cli import bar, ground
from hub.cli.verify import told_of

if TYPE_CHECKING:
    from hub.config import Config

app = ground.new("Copy a stopped hub's store.")
To = Annotated[str, typer.Option("--to", help="The URL of an empty PostgreSQL database.")]


@app.callback()
def store() -> None:
    """Stand before the subcommands."""


@app.command()
def copy(to: To, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Copy everything from SQLite to PostgreSQL; cut off, the same command goes on."""
    crash.arm()
    broken = asyncio.run(_copy(ground.load(config), to))
    if broken:
        typer.echo(f"the copy breaks what must hold: {', '.join(broken)}", err=True)
        raise typer.Exit(1)
    typer.echo("Now let store.url, or HUB_STORE_URL, name it; the old file must be served no more.")


async def _copy(config: "Config", to: str) -> list[str]:
    """Copy, then check; give the names of what does not hold in the copy."""
    from hub.clock import SystemClock  # noqa: PLC0415
    from store import idempotency, moving  # noqa: PLC0415
    from store.store import Store  # noqa: PLC0415

    with bar.shown() as told:
        rows = await moving.move(config.store.url, to, told=told)
    typer.echo(f"{sum(rows.values())} rows in {len(rows)} tables are copied")
    made = await Store.open(to, keys=config.store.encryption_keys, clock=SystemClock())
    try:
        await made.write(idempotency.release)
        return [one["name"] for one in await told_of(made) if one["broken"]]
    finally:
        await made.close()
