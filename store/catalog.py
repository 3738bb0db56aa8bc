"""Products, variants, prices and stock."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, literal, or_, select, union_all

from store.catalog_schema import dated_prices, prices, products, variants
from store.schema import upserting
from store.tx import Tx


def add_variant(tx: Tx, **values: Any) -> bool:
    """Insert a variant; False where its SKU is taken."""
    return tx.run(upserting(variants).on_conflict_do_nothing(), values) == 1


def find_variants(tx: Tx, words: Collection[str], currency: str) -> dict[str, Row[Any]]:
    """Find variants by id or SKU, each under the word that named it, priced in `currency`.

    `status` is active only where variant and product are.
    """
    query = (
        select(
            variants.c.id,
            variants.c.sku,
            variants.c.track_inventory,
            title().label("title"),
            status().label("status"),
            priced(currency, tx.now).label("amount"),
        )
        .join(products, products.c.id == variants.c.product_id)
        .where(or_(variants.c.id.in_(words), variants.c.sku.in_(words)))
    )
    found = tx.rows(query)
    by_sku = {row.sku: row for row in found if row.sku in words}
    return by_sku | {row.id: row for row in found if row.id in words}


def status() -> Any:
    """Give whether a variant is sold: its own word where that is not active, else its product's."""
    return case((variants.c.status == "active", products.c.status), else_=variants.c.status)


def title() -> Any:
    """Give what a line is called: the variant's own title, else the product's."""
    return func.coalesce(variants.c.title, products.c.title)


def variants_of(tx: Tx, product: str) -> list[Row[Any]]:
    """Read a product's variants, in the order given."""
    query = select(variants).where(variants.c.product_id == product)
    return tx.rows(query.order_by(variants.c.position))


def variant(tx: Tx, ident: str) -> Row[Any] | None:
    """Read one variant."""
    return tx.row(select(variants).where(variants.c.id == ident))


def variant_by_sku(tx: Tx, sku: str) -> Row[Any] | None:
    """Find a variant by its SKU."""
    return tx.row(select(variants).where(variants.c.sku == sku))


def counted(tx: Tx, idents: Collection[str]) -> set[str]:
    """Name those of some variants whose stock is counted."""
    if not idents:
        return set()
    query = select(variants.c.id).where(variants.c.id.in_(idents), variants.c.track_inventory == 1)
    return {row.id for row in tx.rows(query)}


def prices_of(tx: Tx, idents: Collection[str]) -> Mapping[str, list[Row[Any]]]:
    """Read variants' prices, those that always hold first, by variant."""
    never = literal(None, dated_prices.c.valid_from.type)
    always = select(
        prices, never.label("valid_from"), never.label("valid_to"), literal(0).label("dated")
    ).where(prices.c.variant_id.in_(idents))
    names = ("variant_id", "currency", "amount", "list_amount", "valid_from", "valid_to")
    dated = select(*(dated_prices.c[name] for name in names), literal(1).label("dated")).where(
        dated_prices.c.variant_id.in_(idents)
    )
    both = union_all(always, dated).subquery()
    found: dict[str, list[Row[Any]]] = {}
    for row in tx.rows(select(both).order_by(both.c.currency, both.c.dated, both.c.valid_from)):
        found.setdefault(row.variant_id, []).append(row)
    return found


def set_prices(tx: Tx, variant_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put these prices in place of all that a variant had; those with a time hold for it alone."""
    for table in (prices, dated_prices):
        tx.run(delete(table).where(table.c.variant_id == variant_id))
    for row in rows:
        made = {"variant_id": variant_id, **row}
        if made.get("valid_from") is None:
            tx.run(insert(prices), {k: v for k, v in made.items() if not k.startswith("valid_")})
        else:
            tx.run(insert(dated_prices), made)


def priced(currency: Any, now: datetime) -> Any:
    """Give a variant's price at a time: of those for a time the one that began last, else its own.

    For queries that join `variants`.
    """
    dated = (
        select(dated_prices.c.amount)
        .where(
            dated_prices.c.variant_id == variants.c.id,
            dated_prices.c.currency == currency,
            dated_prices.c.valid_from <= now,
            or_(dated_prices.c.valid_to.is_(None), dated_prices.c.valid_to > now),
        )
        .order_by(dated_prices.c.valid_from.desc(), dated_prices.c.n.desc())
        .limit(1)
        .correlate_except(dated_prices)
        .scalar_subquery()
    )
    own = (
        select(prices.c.amount)
        .where(prices.c.variant_id == variants.c.id, prices.c.currency == currency)
        .correlate_except(prices)
        .scalar_subquery()
    )
    return func.coalesce(dated, own)


def page(tx: Tx, kind: str, *, after: str, limit: int, **filters: str) -> list[Row[Any]]:
    """Read a page of products or variants, oldest first."""
    table = {"product": products, "variant": variants}[kind]
    query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    for name, value in filters.items():
        query = query.where(table.c[name] == value)
    return tx.rows(query)


def product_by_external_ref(tx: Tx, ref: str) -> str | None:
    """Find a product's id by the shop's own reference."""
    row = tx.row(select(products.c.id).where(products.c.external_ref == ref))
    return str(row.id) if row else None
