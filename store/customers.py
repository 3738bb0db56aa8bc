"""Customers, known by their e-mail address."""

from typing import Any

from sqlalchemy import Row, Select, or_, select, update

from store import aggregates
from store.money_schema import cases, disputes, payment_facts, payments, refunds
from store.schema import events, inbox, job_history, jobs
from store.shop_schema import carts, customers, fulfilments, order_notes, orders
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


def erase(tx: Tx, customer: str, *, email: str, instead: str) -> None:
    """Take a person out of everything that was kept about them; sums and dates stay.

    Bodies of events, of ended and dead jobs and of the requests behind them are gone as if their
    time to be kept was over. Jobs still to be done keep theirs until they are.
    """
    theirs = select(orders.c.id).where(orders.c.customer_id == customer)
    mine = (carts.c.customer_id == customer) | (carts.c.email == email)
    baskets = select(carts.c.id).where(mine)
    told = _events(customer, theirs, baskets)
    _erase_answers(tx, told(events.c.id))
    tx.run(
        update(inbox).where(inbox.c.id.in_(told(events.c.inbox_id))).values(body=None, headers=None)
    )
    for table, over in ((job_history, None), (jobs, jobs.c.state.in_(("d", "b")))):
        gone = update(table).where(table.c.event_id.in_(told(events.c.id)))
        tx.run((gone if over is None else gone.where(over)).values(payload=None))
    tx.run(update(events).where(events.c.id.in_(told(events.c.id))).values(data=None))
    tx.run(update(order_notes).where(order_notes.c.order_id.in_(theirs)).values(text="(erased)"))
    nobody: dict[str, Any] = {"first_name": None, "last_name": None, "phone": None, "locale": None}
    places: dict[str, Any] = {"billing_address": None, "shipping_address": None, "metadata": {}}
    tx.run(update(carts).where(mine).values(email=instead, **nobody, **places))
    tx.run(
        update(orders)
        .where(orders.c.customer_id == customer)
        .values(email=instead, **nobody, **places)
    )


def _erase_answers(tx: Tx, told: Select[Any]) -> None:
    """Take a person out of what providers reported of their jobs, such as a mail delivered."""
    uids = [select(t.c.uid).where(t.c.event_id.in_(told)) for t in (jobs, job_history)]
    answers = or_(*(events.c.job.in_(of) for of in uids))
    brought = select(events.c.inbox_id).where(answers, events.c.inbox_id.is_not(None))
    tx.run(update(inbox).where(inbox.c.id.in_(brought)).values(body=None, headers=None))
    tx.run(update(events).where(answers).values(data=None))


def _events(customer: str, theirs: Select[Any], baskets: Select[Any]) -> Any:
    """Give the query of events about a person: ours, and the provider's behind their money."""
    paid = select(payments.c.id).where(payments.c.order_id.in_(theirs))
    about = [
        theirs,
        baskets,
        paid,
        *(select(t.c.id).where(t.c.order_id.in_(theirs)) for t in (refunds, cases, fulfilments)),
        select(disputes.c.id).where(disputes.c.order_id.in_(theirs)),
    ]
    heard = select(payment_facts.c.event_id).where(
        payment_facts.c.payment_id.in_(paid), payment_facts.c.event_id.is_not(None)
    )

    def query(column: Any) -> Select[Any]:
        found = events.c.aggregate_id == customer
        for idents in about:
            found |= events.c.aggregate_id.in_(idents)
        return select(column).where(found | events.c.id.in_(heard), column.is_not(None))

    return query
