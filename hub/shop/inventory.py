"""Stock as staff count it: adjusted with a reason, at places, never below what is promised."""

from typing import Annotated

from pydantic import Field

from hub.errors import Refused
from hub.model import Json, rfc3339
from hub.shop.events import Cause
from hub.shop.inputs import Count, Input, Word
from hub.shop.rules import invalid
from hub.shop.stocking import tell_variant
from store import aggregates, catalog, stock
from store.aggregates import Stored
from store.catalog_schema import DEFAULT_LOCATION
from store.tx import Tx

MOST = 1_000_000_000


class Adjustment(Input):
    """So many came or went at a place, and why; `variant` is an id or a SKU."""

    variant: Word
    location: Word = DEFAULT_LOCATION
    delta: Annotated[int, Field(ge=-MOST, le=MOST)] = 0
    reason: Word
    backorder_limit: Count | None = None


class NewLocation(Input):
    """A place where stock lies."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
    title: Word


def adjust_stock(tx: Tx, item: Adjustment) -> dict[str, Json]:
    """Count stock anew, and tell it.

    Raises:
        Refused: validation_error, would_go_negative {available}.
    """
    row = catalog.variant(tx, item.variant) or catalog.variant_by_sku(tx, item.variant)
    if row is None or aggregates.lock(tx, "variant", row.id) is None:
        raise invalid("/variant", f"no variant {item.variant!r}", "unknown_variant")
    if not row.track_inventory:
        raise invalid("/variant", "this variant's stock is not counted")
    if not stock.has_location(tx, item.location):
        raise invalid("/location", f"no location {item.location!r}")
    before = stock.available(tx, row.id)
    stock.begin(tx, row.id, location=item.location, on_hand=0, backorder_limit=0)
    _apply(tx, row, item)
    aggregates.change(tx, "variant", row.id)
    change: dict[str, Json] = {
        "location": item.location,
        "delta": item.delta,
        "reason": item.reason,
    }
    tell_variant(tx, row.id, "shop.stock.adjusted", Cause(), change=change)
    now = stock.available(tx, row.id)
    if before <= 0 < now:
        tell_variant(tx, row.id, "shop.variant.back_in_stock", Cause())
    if now <= 0 < before:
        tell_variant(tx, row.id, "shop.variant.out_of_stock", Cause())
    return {"stock": [place_view(found) for found in stock.rows_of(tx, [row.id])]}


def place_view(row: Stored) -> dict[str, Json]:
    """Give a variant's stock at one place as the API answers it."""
    names = ("variant_id", "location_id", "on_hand", "reserved", "backorder_limit", "available")
    return {name: getattr(row, name) for name in names}


def movement_view(row: Stored) -> dict[str, Json]:
    """Give one movement as the API answers it."""
    names = ("variant_id", "location_id", "delta_on_hand", "delta_reserved", "reason", "ref")
    return {"id": row.n, **{n: getattr(row, n) for n in names}, "at": rfc3339(row.at)}


def add_location(tx: Tx, item: NewLocation) -> dict[str, Json]:
    """Add a place.

    Raises:
        Refused: external_ref_exists where there is one of this id.
    """
    if item.id == DEFAULT_LOCATION or not stock.add_location(tx, item.id, item.title):
        raise Refused("external_ref_exists", "there is a location of this id")
    return {"id": item.id, "title": item.title}


def locations(tx: Tx) -> list[Json]:
    """Give all places, the default one first."""
    rest = [{"id": row.id, "title": row.title} for row in stock.all_locations(tx)]
    return [{"id": DEFAULT_LOCATION, "title": "Default"}, *rest]


def _apply(tx: Tx, row: Stored, item: Adjustment) -> None:
    raised = item.backorder_limit
    if raised is not None and not stock.set_limit(tx, row.id, item.location, raised):
        raise _below(tx, row.id)
    left = stock.receive(tx, row.id, item.location, item.delta, reason=item.reason)
    if left is None:
        raise _below(tx, row.id)


def _below(tx: Tx, variant: str) -> Refused:
    left = stock.available(tx, variant)
    return Refused("would_go_negative", f"{left} are not promised yet", available=left)
