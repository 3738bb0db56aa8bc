"""Customers, carts and products as events carry and the API answers them."""

from collections.abc import Sequence

from hub.model import Json
from hub.shop.snapshot import known, money, person
from store import catalog, stock
from store.aggregates import Stored
from store.tx import Tx


def customer_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.customer@1."""
    return {
        "id": row.id,
        "version": row.version,
        **person(row),
        "status": row.status,
        "metadata": row.metadata,
        **known(consent=consent(row), external_ref=row.external_ref, created_at=row.created_at),
    }


def consent(row: Stored) -> dict[str, Json] | None:
    """Give what a customer said of news; None where they said nothing."""
    if row.consent_status is None:
        return None
    told = known(source=row.consent_source, at=row.consent_at)
    return {"status": row.consent_status, **told}


def product_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.product@1 with its variants, prices and stock."""
    found = catalog.variants_of(tx, row.id)
    return {
        "id": row.id,
        "version": row.version,
        "title": row.title,
        "status": row.status,
        "variants": variants_view(tx, found),
        "metadata": row.metadata,
        **known(external_ref=row.external_ref, created_at=row.created_at),
    }


def variant_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.variant@1."""
    return variants_view(tx, [row])[0]


def variants_view(tx: Tx, rows: Sequence[Stored]) -> list[dict[str, Json]]:
    """Give variants with their prices and the stock of all places together."""
    idents = [row.id for row in rows]
    prices, places = catalog.prices_of(tx, idents), stock.rows_of(tx, idents)
    counts = {
        ident: (
            sum(row.on_hand for row in places if row.variant_id == ident),
            sum(row.available for row in places if row.variant_id == ident),
        )
        for ident in {row.variant_id for row in places}
    }
    return [_variant(row, prices.get(row.id, []), counts.get(row.id)) for row in rows]


def _variant(row: Stored, prices: list[Stored], count: tuple[int, int] | None) -> dict[str, Json]:
    on_hand, left = count or (None, None)
    return {
        "id": row.id,
        "version": row.version,
        "product_id": row.product_id,
        "sku": row.sku,
        "status": row.status,
        "tax_class": row.tax_class,
        "track_inventory": bool(row.track_inventory),
        "prices": [
            {
                **money(price.amount, price.currency),
                **known(
                    list_amount=price.list_amount,
                    valid_from=price.valid_from,
                    valid_to=price.valid_to,
                ),
            }
            for price in prices
        ],
        "metadata": row.metadata,
        **known(title=row.title, weight=row.weight, on_hand=on_hand, available=left),
    }
