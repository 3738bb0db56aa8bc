"""`hub routes`: what each route has sent this hour, and what its ceiling or a pause holds back."""

import asyncio
from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.errors import HubError
from hub.model import Json

app = ground.new("List routes and what is held of them; release it or cancel it.", lists=True)
COLUMNS = ("name", "do", "paused", "this_hour", "per_hour", "held", "held_since", "reason")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The route's name.")]


@app.callback()
def routes(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    held: Annotated[
        bool, typer.Option("--held", help="Only those of which jobs are held.")
    ] = False,
    as_json: ground.AsJson = False,
) -> None:
    """List routes: sent this hour, held since when and why."""
    if ctx.invoked_subcommand is not None:
        return
    from store import ceilings, holds  # noqa: PLC0415

    read = ground.load(config)

    async def work(store: Any) -> dict[str, dict[str, Json]]:
        async with store.read() as connection:
            return await holds.routes_shown(connection, ceilings.hour(store.clock.now()))

    found = asyncio.run(ground.on_store(read, work))
    known = {route.name: _configured(route) for route in read.routes}
    rows = [
        {"name": name, "held": 0, **known.get(name, {}), **found.get(name, {})}
        for name in [*known, *sorted(found.keys() - known.keys())]
    ]
    wanted = [row for row in rows if not held or row["held"] or row.get("held_since")]
    ground.show(wanted, COLUMNS, as_json=as_json)


@app.command()
def release(name: Name, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Send all that is held of a route."""
    from store import holds  # noqa: PLC0415

    read = ground.load(config)
    if any(route.paused for route in read.routes if route.name == name):
        raise HubError(f"{name} is paused in config.yaml: take `paused` away there and reload")

    async def work(store: Any) -> int:
        return int(await store.change(lambda tx, of: holds.release(tx, of, by=ground.me()), name))

    count = asyncio.run(ground.on_store(read, work))
    typer.echo(f"{name} goes on: {count} jobs are released")


@app.command()
def cancel(name: Name, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Cancel all that is held of a route; later events are routed as ever."""
    from store import holds  # noqa: PLC0415

    async def work(store: Any) -> int:
        count = 0
        while some := await store.change(lambda tx, of: holds.cancel(tx, of, by=ground.me()), name):
            count += some
        return count

    count = ground.with_store(config, work)
    if not count:
        raise HubError(f"nothing of the route {name} was held")
    typer.echo(f"{name} goes on: {count} jobs are cancelled")


def _configured(route: Any) -> dict[str, Json]:
    """Give what config.yaml says; `computed` is a ceiling that follows how busy the route was."""
    ceiling = route.ceiling
    per_hour = None if ceiling is None else ceiling.per_hour or "computed"
    paused = True if route.paused else None
    return {
        "do": f"{route.connector}.{route.action.name}",
        "paused": paused,
        "per_hour": per_hour,
    }
