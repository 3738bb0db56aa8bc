"""Carts and their lines."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, func, insert, select, update

from store.catalog import title
from store.catalog_schema import prices, products, variants
from store.shop_schema import cart_lines, carts
from store.tx import Tx


def add_lines(tx: Tx, cart: str, lines: Sequence[tuple[str, int]]) -> None:
    """Insert a cart's lines: variant id and quantity, in order."""
    for position, (variant, qty) in enumerate(lines, start=1):
        values = {"cart_id": cart, "position": position, "variant_id": variant, "qty": qty}
        tx.run(insert(cart_lines), values)


def lines_of(tx: Tx, cart: str) -> list[Row[Any]]:
    """Read a cart's lines at the catalogue's prices, or at those it was completed with.

    `unit_price` is None where the variant has no price in the cart's currency.
    """
    price = func.coalesce(cart_lines.c.unit_price, prices.c.amount)
    query = (
        select(
            cart_lines.c.position,
            cart_lines.c.qty,
            variants.c.id.label("variant_id"),
            variants.c.sku,
            variants.c.track_inventory,
            title().label("title"),
            products.c.status,
            price.label("unit_price"),
        )
        .join(carts, carts.c.id == cart_lines.c.cart_id)
        .join(variants, variants.c.id == cart_lines.c.variant_id)
        .join(products, products.c.id == variants.c.product_id)
        .outerjoin(
            prices,
            and_(prices.c.variant_id == variants.c.id, prices.c.currency == carts.c.currency),
        )
        .where(cart_lines.c.cart_id == cart)
        .order_by(cart_lines.c.position)
    )
    return tx.rows(query)


def fix_price(tx: Tx, cart: str, position: int, unit_price: int) -> None:
    """Keep the price a line was sold at."""
    statement = update(cart_lines).where(
        cart_lines.c.cart_id == cart, cart_lines.c.position == position
    )
    tx.run(statement.values(unit_price=unit_price))
