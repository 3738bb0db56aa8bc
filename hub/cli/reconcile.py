"""`hub reconcile`: ask every provider what its webhooks did not say, and say how much that was."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground
from hub.cli.many import counted, moment
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model import Json

app = ground.new("Ask the providers what their webhooks did not say.")
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", parser=moment, metavar="30d", help="Read again what was told since then."
    ),
]


@app.command()
def reconcile(
    since: Since = None,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Pull all providers' events, and have every payment asked about whose outcome is late.

    Beside a running hub, which makes the calls that ask, and opens a case where money and order
    do not agree: see `GET /v1/cases`.
    """
    asyncio.run(_reconcile(ground.load(config), since, as_json=as_json))


async def _reconcile(config: "Config", since: datetime | None, *, as_json: bool) -> None:
    from hub.shop.backend import Shop, rules_of  # noqa: PLC0415 -- only commands that need it pay for it

    review = Shop(rules_of(config)).actions["review_silence"]
    rows: list[dict[str, Json]] = []
    failed = False
    async with ground.pulling(config) as puller:
        await puller.know()
        for name in puller.follows:
            if since is not None:
                await puller.rewind(name, since)
            try:
                count = await puller.pull(name, forced=True)
            except HubError as error:
                failed = True
                rows.append({"connector": name, "recovered": None, "error": str(error)})
            else:
                rows.append({"connector": name, "recovered": count, "error": None})
        asked = await puller.store.change(review.work, review.model())
    if as_json:
        ground.print_json({"sources": rows, "payments_asked": asked["asked"]})
    else:
        ground.show(rows, ("connector", "recovered", "error"), as_json=False)
        typer.echo(f"{counted(asked['asked'], 'payment')} asked about")
    if failed:
        raise typer.Exit(1)
