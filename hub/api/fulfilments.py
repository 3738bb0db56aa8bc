"""/v1/fulfilments: goods packed, shipped, delivered, returned."""

from typing import Annotated

from pydantic import Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Do, Endpoints, Query, changed, made_now
from hub.errors import Refused
from hub.shop.fulfilling import (
    CreateFulfilment,
    FulfilmentChange,
    MoveFulfilment,
    NewFulfilment,
    Step,
    StepWish,
    change_fulfilment,
    create_fulfilment,
    move_fulfilment,
)
from hub.shop.order_shapes import Fulfilment
from hub.shop.snapshots import fulfilment_snapshot
from store import aggregates
from store import fulfilments as kept
from store.aggregates import Stored
from store.tx import Tx

fulfilments = Endpoints()


class FulfilmentsQuery(Query):
    """Of one order, or page by page of all."""

    order: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@fulfilments.post(
    "/orders/{id}/fulfilments",
    may=SHOP,
    takes=NewFulfilment,
    gives={201: Fulfilment},
    key="required",
    refuses=("qty_exceeds_open", "order_on_hold", "invalid_transition"),
)
async def post_fulfilment(ask: Ask) -> Answer:
    """Plan to send goods of a placed order; without lines all that is still open."""

    def work(tx: Tx) -> Answer:
        given = {name: getattr(ask.item, name) for name in NewFulfilment.model_fields}
        item = CreateFulfilment.model_validate({"order": ask.part("id"), **given})
        return made_now("fulfilments", create_fulfilment(tx, item)["fulfilment"])

    return await once.change(ask, work)


@fulfilments.get("/fulfilments", may=EVERYONE, query=FulfilmentsQuery, gives={200: "Fulfilments"})
async def list_fulfilments(ask: Ask) -> Answer:
    """List fulfilments, oldest first."""
    wanted: FulfilmentsQuery = ask.query

    def rows(tx: Tx, after: str | None) -> list[Stored]:
        if wanted.order is not None:
            return [row for row in kept.of_order(tx, wanted.order) if row.id > (after or "")]
        return kept.page(tx, after=after or "", limit=wanted.limit + 1)

    return await paging.listed(ask, rows, fulfilment_snapshot)


@fulfilments.get("/fulfilments/{id}", may=EVERYONE, gives={200: Fulfilment}, conditional=True)
async def get_fulfilment(ask: Ask) -> Answer:
    """Give a fulfilment."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "fulfilment", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such fulfilment")
        return Answer(body=fulfilment_snapshot(tx, row), version=row.version)

    return await ask.api.store.look(work)


@fulfilments.patch("/fulfilments/{id}", may=SHOP, takes=FulfilmentChange, gives={200: Fulfilment})
async def patch_fulfilment(ask: Ask) -> Answer:
    """Change who carries a fulfilment, and by which number."""

    def work(tx: Tx) -> Answer:
        made = change_fulfilment(tx, ask.part("id"), ask.item, ask.match)
        return changed(made["fulfilment"])

    return await once.change(ask, work)


def _step(name: Step, summary: str) -> Do:
    async def do(ask: Ask) -> Answer:
        def work(tx: Tx) -> Answer:
            given = {name: getattr(ask.item, name) for name in StepWish.model_fields}
            item = MoveFulfilment.model_validate(
                {"fulfilment": ask.part("id"), "step": name, **given}
            )
            return changed(move_fulfilment(tx, item, ask.match)["fulfilment"])

        return await once.change(ask, work)

    do.__name__, do.__doc__ = f"{name}_fulfilment", summary
    declare = fulfilments.post(
        f"/fulfilments/{{id}}/{name}",
        may=SHOP,
        takes=StepWish,
        gives={200: Fulfilment},
        matches=True,
        refuses=("invalid_transition", "order_on_hold", "qty_exceeds_open"),
    )
    return declare(do)


_step("pack", "Say that a fulfilment is packed.")
_step("ship", "Say that a fulfilment has left: its goods leave the stock.")
_step("deliver", "Say that a fulfilment has arrived: the time for returns begins.")
_step("cancel", "Give a fulfilment up before it has left.")
_step("return", "Take goods of a fulfilment back, on hand again with `restock`.")
