"""Customers, known by their e-mail address."""

from typing import Any

from sqlalchemy import Row, select

from store import aggregates
from store.shop_schema import customers
from store.tx import Tx


def by_email(tx: Tx, email: str) -> Row[Any] | None:
    """Find a customer; the address is trimmed and lower case."""
    return tx.row(select(customers).where(customers.c.email == email))


def find_or_add(tx: Tx, ident: str, **values: Any) -> tuple[Row[Any], bool]:
    """Find the customer of an address, or make one; say whether it is new."""
    made = aggregates.add_new(tx, "customer", id=ident, **values)
    if made is not None:
        return made, True
    return tx.rows(select(customers).where(customers.c.email == values["email"]))[0], False
