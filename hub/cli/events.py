"""`hub events`: what happened, in the order it was recorded."""

import os
from typing import Annotated, Any

import typer

from hub.cli import ground, replay
from hub.errors import HubError
from hub.model import Json

app = ground.new("List events, newest first; show or replay some.", lists=True)
COLUMNS = ("id", "type", "origin", "about", "sequence", "occurred_at")


@app.callback()
def events(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="A type, or one ending in '.*'.")
    ] = None,
    about: Annotated[str | None, typer.Option(help="An order's or payment's id.")] = None,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List events, newest first; `hub events show` opens the data of one."""
    if ctx.invoked_subcommand is not None:
        return
    from store import reads  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            found = await reads.list_events(
                connection, store.cipher, types=kind or (), about=about, newest=True, limit=limit
            )
        return [{name: it for name, it in e.items() if name != "data"} for _, e in found]

    rows = ground.with_store(config, work)
    if not as_json:
        rows = [row | {"about": (row["aggregate"] or {}).get("id")} for row in rows]
    ground.show(rows, COLUMNS, as_json=as_json)


@app.command()
def show(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The event's id, evt_…")],
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Show one event with its data."""
    from store import reads  # noqa: PLC0415

    async def work(store: Any) -> dict[str, Json] | None:
        async with store.read() as connection:
            return await reads.one_event(connection, ident, store.cipher)

    found = ground.with_store(config, work)
    if found is None:
        raise HubError(f"there is no event {ident}")
    ground.print_json(found)


@app.command()
def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A schema, or an event's type.")
    ] = None,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List the schemas of events' data; print one as JSON Schema."""
    from hub.config.known import events as known_events  # noqa: PLC0415
    from hub.config.report import suggest  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    known = known_events(config, os.environ, shop=VOCABULARY)
    if name is not None:
        found = known.schema(known.data.get(name, name))
        if found is None:
            words = {*known.data, *known.data.values()}
            raise typer.BadParameter(f"there is no schema {name}; {suggest(name, words)}")
        return ground.print_json(found)
    rows: list[dict[str, Json]] = [
        {"schema": data, "events": ", ".join(one for one, its in known.data.items() if its == data)}
        for data in dict.fromkeys(known.data.values())
        if known.schema(data) is not None
    ]
    return ground.show(rows, ("schema", "events"), as_json=as_json)


app.command()(replay.replay)
