"""`hub verify`: the stored invariants, on a live store."""

from typing import Any

import typer

from hub.cli import ground
from hub.model import Json

app = ground.new("Check the stored invariants: exit 0 when all hold.")


@app.command()
def verify(config: ground.ConfigFile = ground.DEFAULT, as_json: ground.AsJson = False) -> None:
    """Check the stored invariants and name the rows that break one."""
    from store import shop_checks  # noqa: PLC0415
    from store.verify import CHECKS  # noqa: PLC0415
    from store.verify import verify as run  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            return await run(connection, (*CHECKS, *shop_checks.CHECKS))

    told = ground.with_store(config, work)
    if as_json:
        ground.print_json(told)
    else:
        for one in told:
            typer.echo(f"{'ok    ' if not one['broken'] else 'BROKEN'}  {one['name']}")
            for row in one["rows"]:
                typer.echo(f"          {row}")
    if any(one["broken"] for one in told):
        raise typer.Exit(1)
