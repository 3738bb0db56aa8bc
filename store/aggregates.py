"""What every aggregate of the shop shares: a version per change, a sequence per event."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Executable, Row, Select, Table, bindparam, insert, select, update

from store.catalog_schema import products, promotions, variants
from store.money_schema import cases, disputes, payments, refunds
from store.schema import upserting
from store.shop_schema import carts, customers, fulfilments, orders
from store.tx import Tx

Stored = Row[Any]
"""A row as the rules see it, who know no SQL."""

TABLES: Mapping[str, Table] = {
    "cart": carts,
    "case": cases,
    "customer": customers,
    "dispute": disputes,
    "fulfilment": fulfilments,
    "order": orders,
    "payment": payments,
    "product": products,
    "promotion": promotions,
    "refund": refunds,
    "variant": variants,
}


def add(tx: Tx, kind: str, /, **values: Any) -> Stored:
    """Insert an aggregate; give its row."""
    made = {"created_at": tx.now, "updated_at": tx.now, **values}
    return tx.connection.execute(_adding(kind, tuple(made)), made).one()


def add_new(tx: Tx, kind: str, /, **values: Any) -> Stored | None:
    """Insert an aggregate unless a unique key of it is taken; None where it is."""
    made = {"created_at": tx.now, "updated_at": tx.now, **values}
    return tx.connection.execute(_adding_new(kind, tuple(made)), made).first()


def change(tx: Tx, kind: str, ident: str, /, **changes: Any) -> Stored:
    """Change an aggregate: its version goes up by one; give the row as it is now."""
    made = {"updated_at": tx.now, **changes}
    return tx.connection.execute(_changing(kind, tuple(made)), {**made, "this_id": ident}).one()


def next_sequence(tx: Tx, kind: str, ident: str) -> int:
    """Number an aggregate's next event, without gaps."""
    return int(tx.connection.execute(_numbering(kind), {"this_id": ident}).scalar_one())


def get(tx: Tx, kind: str, ident: str) -> Stored | None:
    """Read one aggregate."""
    return tx.row(_getting(kind), {"this_id": ident})


def lock(tx: Tx, kind: str, ident: str) -> Stored | None:
    """Read one aggregate, so that no other transaction changes it before this one ends."""
    return tx.row(_locking(kind), {"this_id": ident})


# -- statements, each built once -------------------------------------------------------------------
@cache
def _adding(kind: str, names: tuple[str, ...]) -> Executable:
    table = TABLES[kind]
    return insert(table).values(_bound(kind, names)).returning(*table.c)


@cache
def _adding_new(kind: str, names: tuple[str, ...]) -> Executable:
    table = TABLES[kind]
    wanted = upserting(table).values(_bound(kind, names))
    return wanted.on_conflict_do_nothing().returning(*table.c)


@cache
def _changing(kind: str, names: tuple[str, ...]) -> Executable:
    table = TABLES[kind]
    values = {"version": table.c.version + 1, **_bound(kind, names)}
    this = table.c.id == bindparam("this_id")
    return update(table).where(this).values(values).returning(*table.c)


@cache
def _numbering(kind: str) -> Executable:
    table = TABLES[kind]
    this = table.c.id == bindparam("this_id")
    counted = update(table).where(this).values(sequence=table.c.sequence + 1)
    return counted.returning(table.c.sequence)


@cache
def _getting(kind: str) -> Select[Any]:
    table = TABLES[kind]
    return select(table).where(table.c.id == bindparam("this_id"))


@cache
def _locking(kind: str) -> Select[Any]:
    return _getting(kind).with_for_update()


def _bound(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    table = TABLES[kind]
    return {name: bindparam(name, type_=table.c[name].type) for name in names}
