"""`hub reconcile`: ask every provider what its webhooks did not say, and say how much that was."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground
from hub.cli.many import counted, moment
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model import Json
    from hub.pull import Puller

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

    The days since --since, else those not matched yet, are compared with the money the providers
    have booked. Beside a running hub, which makes the calls that ask; where money does not agree
    there is a case: `hub cases`.
    """
    asyncio.run(_reconcile(ground.load(config), since, as_json=as_json))


async def _reconcile(config: "Config", since: datetime | None, *, as_json: bool) -> None:
    from hub.shop.backend import Shop, rules_of  # noqa: PLC0415

    shop = Shop(rules_of(config))
    review = shop.actions["review_silence"]
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
        days = await _match(puller, shop.actions["match_money"], since, rows)
        asked = await puller.store.change(review.work, review.model())
    if as_json:
        told = {"days_matched": days, "payments_asked": asked["asked"]}
        ground.print_json({"sources": rows, **told})
    else:
        ground.show(rows, ("connector", "recovered", "drifted", "error"), as_json=False)
        typer.echo(f"{counted(days, 'day')} matched with what the providers have booked")
        typer.echo(f"{counted(asked['asked'], 'payment')} asked about")
    if failed or any(row["error"] for row in rows):
        raise typer.Exit(1)


async def _match(puller: "Puller", action: Any, since: datetime | None, rows: list[Any]) -> int:
    """Compare the money, day by day; give how many days, and note in the rows what differs."""
    from hub.money import MoneyMatch  # noqa: PLC0415

    accounts = {name: follow.account for name, follow in puller.follows.items()}
    match, days = MoneyMatch(puller.store, accounts, action, clock=puller.clock), 0
    for row in rows:
        if (name := row["connector"]) not in match.accounts:
            continue
        try:
            found = await match.match(name, since=since)
        except HubError as error:
            row["error"] = row["error"] or str(error)
        else:
            days += len(found)
            row["drifted"] = sum(day.drifted for day in found)
    return days
