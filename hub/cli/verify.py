"""`hub verify`: the stored invariants, on a live store."""

from itertools import islice
from typing import Any

import typer

from hub.cli import ground
from hub.model import Json

app = ground.new("Check the stored invariants: exit 0 when all hold.")
MOST_NAMED = 20


@app.command()
def verify(config: ground.ConfigFile = ground.DEFAULT, as_json: ground.AsJson = False) -> None:
    """Check the stored invariants and name the rows that break one."""
    told = ground.with_store(config, told_of)
    if as_json:
        ground.print_json(told)
    else:
        for one in told:
            typer.echo(f"{'ok    ' if not one['broken'] else 'BROKEN'}  {one['name']}")
            for row in one["rows"]:
                typer.echo(f"          {row}")
    if any(one["broken"] for one in told):
        raise typer.Exit(1)


async def told_of(store: Any) -> list[dict[str, Json]]:
    """Run the queries, then work every order and payment out again from its facts."""
    from hub.shop.verify import (  # noqa: PLC0415
        drifted_fulfilments,
        drifted_orders,
        drifted_payments,
    )
    from store import sealed, shop_checks, verify  # noqa: PLC0415

    async with store.read() as connection:
        told = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
    for name, drifted in (
        ("a payment is what its facts come to", drifted_payments),
        ("an order is what its payments come to", drifted_orders),
        ("an order has sent what its lines have sent", drifted_fulfilments),
    ):
        rows = await store.look(lambda tx, find=drifted: list(islice(find(tx), MOST_NAMED)))
        told.append({"name": name, "broken": len(rows), "rows": rows})
    return [*told, await store.look(lambda tx: sealed.keyless(tx, most=MOST_NAMED))]
