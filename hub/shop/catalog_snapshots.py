"""Customers, carts and products as events carry and the API answers them."""

from collections.abc import Iterable, Mapping

from hub.model import Json
from hub.shop.snapshot import known, money, person
from store import carts, catalog
from store.aggregates import Stored
from store.tx import Tx


def customer_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.customer@1."""
    return {
        "id": row.id,
        "version": row.version,
        **person(row),
        **known(created_at=row.created_at),
    }


def cart_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.cart@1, an open cart at today's prices."""
    lines = carts.lines_of(tx, row.id)
    return {
        "id": row.id,
        "version": row.version,
        "state": row.state,
        "currency": row.currency,
        "lines": [_cart_line(line, row.currency) for line in lines],
        "totals": cart_totals(lines, row.currency),
        "metadata": row.metadata,
        **known(
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            customer_id=row.customer_id,
            order_id=row.order_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
        ),
    }


def cart_totals(lines: Iterable[Stored], currency: str) -> dict[str, Json]:
    """Add up a cart; a line without a price adds nothing and cannot be completed."""
    items = sum(line.qty * (line.unit_price or 0) for line in lines)
    nothing = money(0, currency)
    return {
        "items": money(items, currency),
        "discount": nothing,
        "shipping": nothing,
        "tax": nothing,
        "total": money(items, currency),
    }


def _cart_line(line: Stored, currency: str) -> dict[str, Json]:
    about = {
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
    }
    if line.unit_price is None:
        return about
    total = money(line.qty * line.unit_price, currency)
    return about | {"unit_price": money(line.unit_price, currency), "total": total}


def product_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.product@1 with its variants, prices and stock."""
    prices = catalog.prices_of(tx, row.id)
    return {
        "id": row.id,
        "version": row.version,
        "title": row.title,
        "status": row.status,
        "variants": [_variant(found, prices) for found in catalog.variants_of(tx, row.id)],
        "metadata": row.metadata,
        **known(external_ref=row.external_ref, created_at=row.created_at),
    }


def _variant(row: Stored, prices: Mapping[str, list[Stored]]) -> dict[str, Json]:
    counted = row.on_hand is not None
    left = row.on_hand + row.backorder_limit - row.reserved if counted else None
    return {
        "id": row.id,
        "sku": row.sku,
        "track_inventory": bool(row.track_inventory),
        "prices": [money(price.amount, price.currency) for price in prices.get(row.id, ())],
        **known(title=row.title, on_hand=row.on_hand, available=left),
    }
