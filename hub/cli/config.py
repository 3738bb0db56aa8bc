"""`hub config`: what the configuration says, value by value, and what became of each version."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.model import Json

app = ground.new("Show the configuration; list what became of each version.")
SHOWN = ("at", "what", "hash", "who", "node", "fault")


@app.callback(invoke_without_command=True)
def config(ctx: typer.Context, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Show the configuration as it was written."""
    if ctx.invoked_subcommand is None:
        show(config=config)


@app.command()
def show(
    resolved: Annotated[
        bool, typer.Option("--resolved", help="References and defaults filled in.")
    ] = False,
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Show each value; secrets by their names alone."""
    from hub.config.showing import values  # noqa: PLC0415

    ground.there(config)
    rows = values(config, ground.environment(config), resolved=resolved)
    if as_json:
        ground.print_json([row.as_json() for row in rows])
        return
    width = max((len(row.key) for row in rows), default=0)
    for row in rows:
        where = f"  # {_short(row.origin)}" if origin else ""
        typer.echo(f"{row.key:{width}}  {row.value}{where}")


@app.command()
def history(
    config: ground.ConfigFile = ground.DEFAULT,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most rows.")] = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List which configuration ran since when, and which were refused."""
    from store.configs import recent  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            return await recent(connection, limit)

    rows = ground.with_store(config, work)
    if not as_json:
        rows = [_line(row) for row in rows]
    ground.show(rows, SHOWN, as_json=as_json)


def _line(row: dict[str, Json]) -> dict[str, Json]:
    faults = row["faults"]
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    fault = f"{faults[0]['file']}:{faults[0]['line']} {faults[0]['text']}{more}" if faults else None
    return row | {"hash": (row["hash"] or "")[:12] or None, "fault": fault}


def _short(origin: str) -> str:
    here = f"{Path.cwd()}{os.sep}"
    return origin.removeprefix(here)
