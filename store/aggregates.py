"""What every aggregate of the shop shares: a version per change, a sequence per event."""

from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upserting

from store.shop_schema import carts, cases, customers, orders, payments, products, refunds
from store.tx import Tx

Stored = Row[Any]
"""A row as the rules see it, who know no SQL."""

TABLES = {
    "cart": carts,
    "case": cases,
    "customer": customers,
    "order": orders,
    "payment": payments,
    "product": products,
    "refund": refunds,
}


def add(tx: Tx, kind: str, /, **values: Any) -> Stored:
    """Insert an aggregate; give its row."""
    table = TABLES[kind]
    made = {"created_at": tx.now, "updated_at": tx.now, **values}
    return tx.connection.execute(insert(table).values(made).returning(*table.c)).one()


def add_new(tx: Tx, kind: str, /, **values: Any) -> Stored | None:
    """Insert an aggregate unless a unique key of it is taken; None where it is."""
    table = TABLES[kind]
    made = {"created_at": tx.now, "updated_at": tx.now, **values}
    statement = upserting(table).values(made).on_conflict_do_nothing().returning(*table.c)
    return tx.connection.execute(statement).first()


def change(tx: Tx, kind: str, ident: str, /, **changes: Any) -> Stored:
    """Change an aggregate: its version goes up by one; give the row as it is now."""
    table = TABLES[kind]
    statement = (
        update(table)
        .where(table.c.id == ident)
        .values(version=table.c.version + 1, updated_at=tx.now, **changes)
        .returning(*table.c)
    )
    return tx.connection.execute(statement).one()


def next_sequence(tx: Tx, kind: str, ident: str) -> int:
    """Number an aggregate's next event, without gaps."""
    table = TABLES[kind]
    statement = (
        update(table)
        .where(table.c.id == ident)
        .values(sequence=table.c.sequence + 1)
        .returning(table.c.sequence)
    )
    return int(tx.connection.execute(statement).scalar_one())


def get(tx: Tx, kind: str, ident: str) -> Stored | None:
    """Read one aggregate."""
    table = TABLES[kind]
    return tx.row(select(table).where(table.c.id == ident))


def lock(tx: Tx, kind: str, ident: str) -> Stored | None:
    """Read one aggregate, so that no other transaction changes it before this one ends."""
    table = TABLES[kind]
    return tx.row(select(table).where(table.c.id == ident).with_for_update())
