"""Customers, known by their e-mail address."""

from typing import Any

from sqlalchemy import Row, select

from store import aggregates
from store.shop_schema import carts, customers, orders
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


def page(tx: Tx, *, email: str | None, after: str, limit: int) -> list[Row[Any]]:
    """Read a page of customers, oldest first."""
    query = select(customers).where(customers.c.id > after).order_by(customers.c.id).limit(limit)
    return tx.rows(query if email is None else query.where(customers.c.email == email))


def orders_of(tx: Tx, customer: str) -> list[Row[Any]]:
    """Read all orders of a customer, oldest first."""
    return tx.rows(select(orders).where(orders.c.customer_id == customer).order_by(orders.c.n))


def carts_of(tx: Tx, customer: str, email: str) -> list[Row[Any]]:
    """Read all carts of a customer, those opened without being known among them."""
    mine = (carts.c.customer_id == customer) | (carts.c.email == email)
    return tx.rows(select(carts).where(mine).order_by(carts.c.id))
