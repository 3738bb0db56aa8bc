"""Carts and their lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update

from store.catalog import priced, status, title
from store.catalog_schema import products, variants
from store.shop_schema import cart_lines, carts
from store.tx import Tx


def set_lines(tx: Tx, cart: str, lines: Sequence[tuple[str, int]]) -> None:
    """Put lines, variant id and quantity, in place of those a cart had."""
    tx.run(delete(cart_lines).where(cart_lines.c.cart_id == cart))
    for position, (variant, qty) in enumerate(lines, start=1):
        values = {"cart_id": cart, "position": position, "variant_id": variant, "qty": qty}
        tx.run(insert(cart_lines), values)


def lines_of(tx: Tx, cart: str) -> list[Row[Any]]:
    """Read a cart's lines at the catalogue's prices, or at those it was completed with.

    `unit_price` is None where the variant has no price in the cart's currency.
    """
    price = func.coalesce(cart_lines.c.unit_price, priced(carts.c.currency, tx.now))
    query = (
        select(
            cart_lines.c.position,
            cart_lines.c.qty,
            variants.c.id.label("variant_id"),
            variants.c.sku,
            variants.c.track_inventory,
            title().label("title"),
            status().label("status"),
            variants.c.tax_class,
            price.label("unit_price"),
        )
        .join(carts, carts.c.id == cart_lines.c.cart_id)
        .join(variants, variants.c.id == cart_lines.c.variant_id)
        .join(products, products.c.id == variants.c.product_id)
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


def quiet(tx: Tx, before: datetime, *, limit: int = 500) -> list[str]:
    """Name the open carts nobody has touched since a time, and all that are over."""
    asleep = and_(carts.c.state == "open", carts.c.updated_at <= before, carts.c.email.is_not(None))
    over = and_(carts.c.state.in_(("open", "abandoned")), carts.c.expires_at <= tx.now)
    query = select(carts.c.id).where(or_(asleep, over)).order_by(carts.c.updated_at).limit(limit)
    return [row.id for row in tx.rows(query)]
