"""`hub orders`: the orders, and one order's whole story."""

from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.errors import HubError
from hub.model import Json

app = ground.new("List orders, newest first; show one with its timeline.", lists=True)
COLUMNS = ("id", "number", "lifecycle", "payment_status", "total", "email", "created_at")


@app.callback()
def orders(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List orders, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    from hub.shop.snapshots import order_view  # noqa: PLC0415
    from store import orders as kept  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = await store.look(
            lambda tx: [order_view(tx, row) for row in kept.page(tx, {}, before=None, limit=limit)]
        )
        return found

    rows = ground.with_store(config, work)
    if not as_json:
        rows = [row | _plain(row) for row in rows]
    ground.show(rows, COLUMNS, as_json=as_json)


@app.command()
def show(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The order's id, ord_…")],
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Show one order's story: calls, webhooks, facts, events, jobs, attempts."""
    from store.timeline import timeline  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]] | None:
        async with store.read() as connection:
            return await timeline(connection, ident)

    found = ground.with_store(config, work)
    if found is None:
        raise HubError(f"there is no order {ident}")
    if as_json:
        return ground.print_json(found)
    from hub.demo.show import show_timeline, wide  # noqa: PLC0415

    return show_timeline(wide(), found)


def _plain(order: dict[str, Any]) -> dict[str, Json]:
    total = order["total"]
    return {
        "total": f"{total['amount']} {total['currency']}",
        "email": order["customer"]["email"],
    }
