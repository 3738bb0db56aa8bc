"""/v1/stock, /v1/locations: what there is to sell, and where."""

from typing import Annotated

from pydantic import Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query
from hub.api.reading import invalid_parameter
from hub.shop.inventory import (
    Adjustment,
    NewLocation,
    add_location,
    adjust_stock,
    locations,
    movement_view,
    place_view,
)
from store import catalog
from store import stock as kept
from store.aggregates import Stored
from store.tx import Tx

stock = Endpoints()
Variant = Annotated[str, Field(min_length=1, max_length=255)]


class StockQuery(Query):
    """Of one variant (id or SKU), or page by page of all."""

    variant: Variant | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@stock.get("/stock", may=EVERYONE, query=StockQuery, gives={200: "Stock"})
async def list_stock(ask: Ask) -> Answer:
    """Give stock by variant and place: on hand, reserved, available."""
    wanted: StockQuery = ask.query

    def rows(tx: Tx, after: str | None) -> list[Stored]:
        if wanted.variant is not None:
            found = kept.rows_of(tx, [_variant(tx, wanted.variant)])
            return [row for row in found if f"{row.variant_id} {row.location_id}" > (after or "")]
        first, _, second = (after or "").partition(" ")
        return kept.page(tx, after=(first, second), limit=wanted.limit + 1)

    return await paging.listed(
        ask, rows, lambda _, row: place_view(row), key=lambda r: f"{r.variant_id} {r.location_id}"
    )


@stock.get("/stock/movements", may=EVERYONE, query=StockQuery, gives={200: "Movements"})
async def list_movements(ask: Ask) -> Answer:
    """Give what moved stock, newest first."""
    wanted: StockQuery = ask.query

    def rows(tx: Tx, before: str | None) -> list[Stored]:
        about = _variant(tx, wanted.variant) if wanted.variant else None
        seen = None if before is None else int(before)
        return kept.movements(tx, about, before=seen, limit=wanted.limit + 1)

    return await paging.listed(
        ask, rows, lambda _, row: movement_view(row), key=lambda row: int(row.n)
    )


@stock.post(
    "/stock/adjustments",
    may=SHOP,
    takes=Adjustment,
    gives={200: "Stock"},
    refuses=("would_go_negative",),
)
async def adjust(ask: Ask) -> Answer:
    """Count stock anew at one place, and say why."""

    def work(tx: Tx) -> Answer:
        made = adjust_stock(tx, ask.item)
        return Answer(body=made, subject=made["stock"][0]["variant_id"])

    return await once.change(ask, work)


@stock.get("/locations", may=EVERYONE, gives={200: "Locations"})
async def list_locations(ask: Ask) -> Answer:
    """Give the places where stock lies, the default one first."""

    def work(tx: Tx) -> Answer:
        return Answer(body={"items": locations(tx), "next": None})

    return await ask.api.store.look(work)


@stock.post(
    "/locations",
    may=SHOP,
    takes=NewLocation,
    gives={201: "Location"},
    refuses=("external_ref_exists",),
)
async def post_location(ask: Ask) -> Answer:
    """Add a place where stock lies."""

    def work(tx: Tx) -> Answer:
        made = add_location(tx, ask.item)
        return Answer(body=made, status=201, subject=made["id"])

    return await once.change(ask, work)


def _variant(tx: Tx, word: str) -> str:
    row = catalog.variant(tx, word) or catalog.variant_by_sku(tx, word)
    if row is None:
        raise invalid_parameter("variant", "unknown_variant", "there is no such variant")
    return str(row.id)
