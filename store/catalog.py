"""Products, variants, prices and stock."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select

from store.catalog_schema import (
    prices,
    products,
    stock,
    variants,
)
from store.schema import upserting
from store.tx import Tx


def add_variant(tx: Tx, **values: Any) -> bool:
    """Insert a variant; False where its SKU is taken."""
    return tx.run(upserting(variants).on_conflict_do_nothing(), values) == 1


def add_price(tx: Tx, variant: str, *, currency: str, amount: int) -> None:
    """Insert a price."""
    tx.run(insert(prices), {"variant_id": variant, "currency": currency, "amount": amount})


def find_variants(tx: Tx, words: Collection[str], currency: str) -> dict[str, Row[Any]]:
    """Find variants by id or SKU, each under the word that named it, priced in `currency`."""
    query = (
        select(
            variants.c.id,
            variants.c.sku,
            variants.c.track_inventory,
            title().label("title"),
            products.c.status,
            prices.c.amount,
        )
        .join(products, products.c.id == variants.c.product_id)
        .outerjoin(
            prices, and_(prices.c.variant_id == variants.c.id, prices.c.currency == currency)
        )
        .where(or_(variants.c.id.in_(words), variants.c.sku.in_(words)))
    )
    found = tx.rows(query)
    by_sku = {row.sku: row for row in found if row.sku in words}
    return by_sku | {row.id: row for row in found if row.id in words}


def title() -> Any:
    """Give what a line is called: the variant's own title, else the product's."""
    return func.coalesce(variants.c.title, products.c.title)


def variants_of(tx: Tx, product: str) -> list[Row[Any]]:
    """Read a product's variants with their stock, in the order given."""
    query = (
        select(variants, stock.c.on_hand, stock.c.reserved, stock.c.backorder_limit)
        .outerjoin(stock, stock.c.variant_id == variants.c.id)
        .where(variants.c.product_id == product)
        .order_by(variants.c.position)
    )
    return tx.rows(query)


def prices_of(tx: Tx, product: str) -> Mapping[str, list[Row[Any]]]:
    """Read a product's prices, by variant."""
    query = (
        select(prices)
        .join(variants, variants.c.id == prices.c.variant_id)
        .where(variants.c.product_id == product)
        .order_by(prices.c.variant_id, prices.c.currency)
    )
    found: dict[str, list[Row[Any]]] = {}
    for row in tx.rows(query):
        found.setdefault(row.variant_id, []).append(row)
    return found


def product_by_external_ref(tx: Tx, ref: str) -> str | None:
    """Find a product's id by the shop's own reference."""
    row = tx.row(select(products.c.id).where(products.c.external_ref == ref))
    return str(row.id) if row else None
