"""`hub inbox`: the requests that were verified and kept."""

from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.model import Json, rfc3339

app = ground.new("List kept requests, newest first; show one.", lists=True)
COLUMNS = ("id", "connector", "received_at", "via", "secret_used", "events")


@app.callback()
def inbox(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    connector: Annotated[str | None, typer.Option(help="Only this connector's.")] = None,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List kept requests, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    from store import reads  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            return await reads.list_inbox(connection, connector=connector, limit=limit)

    ground.show(ground.with_store(config, work), COLUMNS, as_json=as_json)


@app.command()
def show(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The request's id, inb_…")],
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Show one request as it came: method, URL, headers, body."""

    async def work(store: Any) -> dict[str, Json]:
        request = await store.kept_request(ident)
        return {
            "id": ident,
            "received_at": rfc3339(request.received_at),
            "method": request.method,
            "url": request.url,
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.headers],
            "body": request.body.decode(errors="replace"),
        }

    ground.print_json(ground.with_store(config, work))
