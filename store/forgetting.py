"""A person is forgotten: what was kept about them goes, sums and dates stay.

Jobs still to be done keep their payloads until they are, and providers may go on to tell of what
they did. So each hour the same goes again, for as long as payloads are kept.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, or_, select, update

from store import idempotency
from store.money_schema import cases, disputes, payment_facts, payments, refunds
from store.schema import events, inbox, job_history, jobs
from store.shop_schema import carts, customers, fulfilments, order_notes, orders
from store.store import Store
from store.tx import Tx

SHOP = "shop"
ERASED = "(erased)"
"""Stands where somebody had written a text of their own."""
_UNNAMED: dict[str, Any] = dict.fromkeys(("first_name", "last_name", "phone", "locale"))
_NOWHERE: dict[str, Any] = {"billing_address": None, "shipping_address": None, "metadata": {}}


def erase(
    tx: Tx, customer: str, *, email: str, instead: str, since: datetime | None = None
) -> None:
    """Take a person out of everything that was kept about them.

    Bodies of events, of ended and dead jobs, of the requests behind them and of kept answers are
    gone as if their time to be kept was over.

    Args:
        since: When they were forgotten; what the shop told and staff wrote after that stays.
    """
    theirs = select(orders.c.id).where(orders.c.customer_id == customer)
    mine = (carts.c.customer_id == customer) | (carts.c.email == email)
    about = _about(theirs, select(carts.c.id).where(mine))
    told = _events(customer, about)
    if since is not None:
        told &= (events.c.recorded_at < since) | (events.c.connector != SHOP)
    _erase_told(tx, told, _asked(theirs, about[2]))
    for subjects in (select(customers.c.id).where(customers.c.id == customer), *about):
        idempotency.erase(tx, subjects, before=since)
    if since is not None:
        return
    _erase_texts(tx, theirs)
    tx.run(update(carts).where(mine).values(email=instead, **_UNNAMED, **_NOWHERE))
    named = orders.c.customer_id == customer
    tx.run(update(orders).where(named).values(email=instead, **_UNNAMED, **_NOWHERE))


async def erase_again(store: Store, *, now: datetime, within: timedelta) -> None:
    """Erase what has come since of all who were forgotten lately, a commit for each."""
    lately = customers.c.status == "anonymised", customers.c.updated_at > now - within
    async with store.read() as connection:
        found = (await connection.execute(select(customers).where(*lately))).all()
    for row in found:
        same = {"email": row.email, "instead": row.email, "since": row.updated_at}
        await store.write(partial(erase, customer=row.id, **same))


def _erase_told(tx: Tx, told: ColumnElement[bool], asked: Sequence[Select[Any]]) -> None:
    """Take a person out of events, of the jobs made of them, and of what providers reported."""
    of = select(events.c.id).where(told)
    live, ended = (
        or_(t.c.event_id.in_(of), *(t.c.uid.in_(one) for one in asked)) for t in (jobs, job_history)
    )
    uids = select(jobs.c.uid).where(live), select(job_history.c.uid).where(ended)
    reports = or_(*(events.c.job.in_(one) for one in uids))  # such as a mail delivered
    for some in (reports, told):
        brought = select(events.c.inbox_id).where(some, events.c.inbox_id.is_not(None))
        tx.run(update(inbox).where(inbox.c.id.in_(brought)).values(body=None, headers=None))
    tx.run(update(job_history).where(ended).values(payload=None))
    tx.run(update(jobs).where(live, jobs.c.state.in_(("d", "b"))).values(payload=None))
    for some in (reports, told):
        tx.run(update(events).where(some).values(data=None))


def _asked(theirs: Select[Any], paid: Select[Any]) -> list[Select[Any]]:
    """Give the queries of the jobs by which the shop itself asked for a person's money."""
    of_facts = payment_facts.c.payment_id.in_(paid), payment_facts.c.fact.like("%_requested")
    return [
        *(select(t.c.job).where(t.c.order_id.in_(theirs), t.c.job.is_not(None))
          for t in (payments, refunds)),
        select(payment_facts.c.provider_ref).where(*of_facts),
    ]  # fmt: skip


def _erase_texts(tx: Tx, theirs: Select[Any]) -> None:
    """Take out what staff wrote in their own words, and what leads to a parcel's address."""
    free: tuple[tuple[Table, str], ...] = (
        (order_notes, "text"), (cases, "note"), (refunds, "reason"),
    )  # fmt: skip
    for table, name in free:
        texts = update(table).where(table.c.order_id.in_(theirs), table.c[name].is_not(None))
        tx.run(texts.values({name: ERASED}))
    for name in ("staff_hold", "cancel_reason"):
        texts = update(orders).where(orders.c.id.in_(theirs), orders.c[name].is_not(None))
        tx.run(texts.values({name: ERASED}))
    parcels = update(fulfilments).where(fulfilments.c.order_id.in_(theirs))
    tx.run(parcels.values(tracking=None, metadata={}))


def _about(theirs: Select[Any], baskets: Select[Any]) -> list[Select[Any]]:
    """Give the queries of the ids of all that a person had to do with."""
    kept = (payments, refunds, cases, fulfilments, disputes)
    return [theirs, baskets, *(select(t.c.id).where(t.c.order_id.in_(theirs)) for t in kept)]


def _events(customer: str, about: list[Select[Any]]) -> ColumnElement[bool]:
    """Give the condition of events about a person: ours, and the provider's behind their money."""
    found = events.c.aggregate_id == customer
    for idents in about:
        found |= events.c.aggregate_id.in_(idents)
    paid = about[2]
    heard = select(payment_facts.c.event_id).where(
        payment_facts.c.payment_id.in_(paid), payment_facts.c.event_id.is_not(None)
    )
    return found | events.c.id.in_(heard)
