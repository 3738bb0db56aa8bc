"""Carts as events carry and the API answers them."""

from hub.model import Json
from hub.shop.cart_prices import reckon_cart
from hub.shop.catalog_snapshots import consent
from hub.shop.rules import ShopRules
from hub.shop.snapshot import known, money
from store import aggregates, customers
from store.aggregates import Stored
from store.tx import Tx


def cart_snapshot(tx: Tx, row: Stored, rules: ShopRules) -> dict[str, Json]:
    """Give shop.cart@1, an open cart at today's prices; a line without a price adds nothing."""
    reckoned = reckon_cart(tx, row, rules)
    priced = reckoned.priced
    sums = {
        "items": priced.items,
        "discount": priced.discount,
        "shipping": priced.shipping_price,
        "tax": priced.tax,
        "total": priced.total,
    }
    return {
        "id": row.id,
        "version": row.version,
        "state": row.state,
        "currency": row.currency,
        "lines": [_cart_line(line, row.currency) for line in reckoned.lines],
        "codes": row.codes,
        "totals": {name: money(amount, row.currency) for name, amount in sums.items()},
        "metadata": row.metadata,
        **known(
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            locale=row.locale,
            consent=_consent(tx, row),
            customer_id=row.customer_id,
            order_id=row.order_id,
            billing_address=row.billing_address,
            shipping_address=row.shipping_address,
            shipping_code=row.shipping_code,
            created_at=row.created_at,
            expires_at=row.expires_at,
        ),
    }


def _consent(tx: Tx, row: Stored) -> dict[str, Json] | None:
    """Give what the cart's customer said of news, who may have written an address alone."""
    if row.customer_id is not None:
        found = aggregates.get(tx, "customer", row.customer_id)
    else:
        found = customers.by_email(tx, row.email) if row.email is not None else None
    return consent(found) if found is not None else None


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
