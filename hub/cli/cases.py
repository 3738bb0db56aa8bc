"""`hub cases`: what only a person can settle: list, look at, resolve."""

import asyncio
from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.errors import HubError, Refused
from hub.model import Json

app = ground.new("List cases, newest first; show or resolve one.", lists=True)
COLUMNS = ("id", "kind", "about", "state", "resolutions", "created_at")
Ident = Annotated[str, typer.Argument(metavar="ID", help="The case's id, cas_…")]


@app.callback()
def cases(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    state: Annotated[str, typer.Option(help="open, resolved or all.")] = "open",
    kind: Annotated[str | None, typer.Option(help="Such as amount_mismatch.")] = None,
    order: Annotated[str | None, typer.Option(help="Those of one order.")] = None,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List cases, newest first, each with what may be done."""
    if ctx.invoked_subcommand is not None:
        return
    if state not in ("open", "resolved", "all"):
        raise typer.BadParameter("is open, resolved or all", param_hint="--state")
    from hub.shop.resolving import case_view  # noqa: PLC0415
    from store import cases as kept  # noqa: PLC0415

    asked = {"state": None if state == "all" else state, "kind": kind, "order_id": order}
    filters = {name: value for name, value in asked.items() if value is not None}

    async def work(store: Any) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = await store.look(
            lambda tx: [case_view(row) for row in kept.page(tx, filters, before=None, limit=limit)]
        )
        return found

    rows = ground.with_store(config, work)
    ground.show(rows if as_json else [row | _plain(row) for row in rows], COLUMNS, as_json=as_json)


@app.command()
def show(ident: Ident, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Show one case: its evidence, and what may be done."""
    from hub.shop.resolving import case_view  # noqa: PLC0415
    from store import aggregates  # noqa: PLC0415

    def look(tx: Any) -> dict[str, Json] | None:
        row = aggregates.get(tx, "case", ident)
        return None if row is None else case_view(row)

    found = ground.with_store(config, lambda store: store.look(look))
    if found is None:
        raise HubError(f"there is no case {ident}")
    ground.print_json(found)


@app.command()
def resolve(
    ident: Ident,
    resolution: Annotated[str, typer.Argument(help="One of those `hub cases show` names.")],
    note: Annotated[str | None, typer.Option(help="Why; kept with the case.")] = None,
    amount: Annotated[int | None, typer.Option(min=0, help="In minor units.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of the amount: EUR.")] = None,
    order: Annotated[str | None, typer.Option(help="The order to attach a payment to.")] = None,
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Resolve a case, and do what that means: a refund, a revival, a question to the provider."""
    from pydantic import ValidationError  # noqa: PLC0415

    from hub.shop.backend import rules_of  # noqa: PLC0415
    from hub.shop.resolving import Resolution, resolve_case  # noqa: PLC0415
    from store.audit import note as note_down  # noqa: PLC0415

    if (amount is None) != (currency is None):
        raise typer.BadParameter("goes with --currency", param_hint="--amount")
    money = None if amount is None else {"amount": amount, "currency": currency}
    given = {"resolution": resolution, "note": note, "amount": money, "order": order}
    loaded = ground.load(config)
    rules = rules_of(loaded)
    try:
        item = Resolution.model_validate(given)
    except ValidationError as error:
        raise HubError("; ".join(f["msg"] for f in error.errors())) from error

    def resolved(tx: Any, wanted: Resolution) -> dict[str, Json]:
        note_down(tx, ground.me(), "resolve case", ident, f"{resolution} {note or ''}".strip())
        return resolve_case(tx, ident, wanted, rules, ground.me())

    async def work(store: Any) -> dict[str, Json]:
        done: dict[str, Json] = await store.change(resolved, item)
        return done

    try:
        asyncio.run(ground.on_store(loaded, work))
    except Refused as no:
        raise HubError(no.detail or no.code) from no
    typer.echo(f"{ident}: {resolution}")


def _plain(case: dict[str, Any]) -> dict[str, Json]:
    about = case.get("order_id") or case["subject"]
    return {"about": about, "resolutions": ", ".join(case.get("resolutions", ()))}
