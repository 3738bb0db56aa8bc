"""Payments, the names providers know them by, their facts, and refunds."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, exists, or_, select, text, update

from store.money_schema import OPEN, cases, disputes, payment_facts, payment_refs, payments, refunds
from store.schema import jobs, upserting
from store.shop_schema import orders
from store.tx import Tx

# Built once: these run several times for every fact.
_BY_REF = (
    select(payments)
    .join(payment_refs, payment_refs.c.payment_id == payments.c.id)
    .where(
        payment_refs.c.connector == bindparam("connector"),
        payment_refs.c.provider_ref == bindparam("ref"),
    )
)
_OF_ORDER = (
    select(payments)
    .where(payments.c.order_id == bindparam("order"), payments.c.merged_into.is_(None))
    .order_by(payments.c.id)
)
_NAME = upserting(payment_refs).on_conflict_do_nothing()
_FACTS_OF = (
    select(payment_facts)
    .where(payment_facts.c.payment_id == bindparam("payment"))
    .order_by(payment_facts.c.n)
)


# -- payments and their names ----------------------------------------------------------------------
def by_ref(tx: Tx, connector: str, ref: str) -> Row[Any] | None:
    """Find a payment by any id its provider gave it."""
    return tx.row(_BY_REF, {"connector": connector, "ref": ref})


def by_id(tx: Tx, ident: str) -> Row[Any] | None:
    """Read a payment."""
    return tx.row(select(payments).where(payments.c.id == ident))


def moved_between(
    tx: Tx, connector: str, since: datetime, until: datetime, *, after: str, limit: int
) -> list[str]:
    """Name the payments of a connector to which something happened in a span, by their ids."""
    query = (
        select(payment_facts.c.payment_id)
        .where(payment_facts.c.connector == connector, payment_facts.c.payment_id > after)
        .where(payment_facts.c.occurred_at >= since, payment_facts.c.occurred_at < until)
        .distinct()
    )
    return [row.payment_id for row in tx.rows(query.order_by("payment_id").limit(limit))]


def refs_of(tx: Tx, idents: Collection[str]) -> dict[str, set[str]]:
    """Give the provider's names of payments."""
    found: dict[str, set[str]] = {}
    query = select(payment_refs).where(payment_refs.c.payment_id.in_(idents))
    for row in tx.rows(query):
        found.setdefault(row.payment_id, set()).add(row.provider_ref)
    return found


def by_fact(tx: Tx, connector: str, ref: str) -> Row[Any] | None:
    """Find a payment by the id of something that happened to it, such as a charge."""
    named = and_(payment_facts.c.connector == connector, payment_facts.c.provider_ref == ref)
    query = select(payments).join(payment_facts, payment_facts.c.payment_id == payments.c.id)
    return tx.row(query.where(named).limit(1))


def by_job(tx: Tx, connector: str, uid: str) -> Row[Any] | None:
    """Find the payment that a job of ours makes."""
    query = select(payments).where(payments.c.job == uid, payments.c.connector == connector)
    return tx.row(query)


def of_order(tx: Tx, order: str) -> list[Row[Any]]:
    """Read an order's payments, oldest first; those merged into another left out."""
    return tx.rows(_OF_ORDER, {"order": order})


def all_of(tx: Tx) -> list[Row[Any]]:
    """Read every payment, for `hub verify`; those merged into another left out."""
    return tx.rows(select(payments).where(payments.c.merged_into.is_(None)))


def claiming(tx: Tx, words: Collection[str]) -> list[Row[Any]]:
    """Read the unmatched payments whose provider names one of these orders."""
    query = select(payments).where(
        payments.c.order_id.is_(None),
        payments.c.merged_into.is_(None),
        payments.c.claimed_order.in_(words),
    )
    return tx.rows(query)


def unmatched(tx: Tx, before: datetime, *, limit: int = 500) -> list[Row[Any]]:
    """Read the payments that no order has claimed since `before` and no case tells of yet."""
    mine = (cases.c.subject == payments.c.id, cases.c.kind == "unmatched_payment")
    query = select(payments).where(
        payments.c.order_id.is_(None),
        payments.c.merged_into.is_(None),
        payments.c.created_at <= before,
        ~exists().where(*mine),
    )
    return tx.rows(query.order_by(payments.c.created_at).limit(limit))


def silent(tx: Tx, before: datetime, *, limit: int = 500) -> list[Row[Any]]:
    """Read payments since before a time of which no outcome is known, their order waiting.

    Those asked about longest ago come first.
    """
    query = (
        select(payments)
        .join(orders, orders.c.id == payments.c.order_id)
        .where(
            text(f"payments.{OPEN}"),
            payments.c.created_at <= before,
            payments.c.merged_into.is_(None),
            payments.c.provider_ref.is_not(None),
            orders.c.lifecycle.in_(("pending_payment", "on_hold")),
        )
    )
    oldest = payments.c.asked_at.is_not(None), payments.c.asked_at, payments.c.id
    return tx.rows(query.order_by(*oldest).limit(limit))


def asked(tx: Tx, idents: Collection[str]) -> None:
    """Note that the provider is asked about these now; no change of the payment itself."""
    tx.run(update(payments).where(payments.c.id.in_(idents)).values(asked_at=tx.now))


def name(tx: Tx, payment: str, connector: str, ref: str) -> None:
    """Know a payment by one more id of its provider; a name once given stays."""
    values = {"connector": connector, "provider_ref": ref, "payment_id": payment}
    tx.run(_NAME, values)


def move(tx: Tx, *, source: str, target: str) -> None:
    """Give one payment's facts, refunds and names to another; a fact both know stays once."""
    twin = payment_facts.alias()
    same = (
        select(twin.c.n)
        .where(
            twin.c.payment_id == target,
            twin.c.fact == payment_facts.c.fact,
            twin.c.provider_ref == payment_facts.c.provider_ref,
            twin.c.stated == payment_facts.c.stated,
        )
        .correlate(payment_facts)
    )
    tx.run(delete(payment_facts).where(payment_facts.c.payment_id == source, exists(same)))
    for table in (payment_facts, payment_refs, refunds, disputes):
        statement = update(table).where(table.c.payment_id == source)
        tx.run(statement.values(payment_id=target))


def leave(tx: Tx, payment: str, *, merged_into: str) -> Row[Any]:
    """Keep an emptied payment only as a sign to the one that took its facts."""
    statement = update(payments).where(payments.c.id == payment)
    empty = {"provider_ref": None, "merged_into": merged_into, "counts": 0, "state": "created"}
    none = dict.fromkeys(("authorized", "captured", "refunded", "charged_back"), 0)
    emptied = statement.values(**empty, **none, updated_at=tx.now, version=payments.c.version + 1)
    return tx.connection.execute(emptied.returning(*payments.c)).one()


# -- facts -----------------------------------------------------------------------------------------
def facts_of(tx: Tx, payment: str) -> list[Row[Any]]:
    """Read a payment's facts in the order they came to be known."""
    return tx.rows(_FACTS_OF, {"payment": payment})


def add_fact(tx: Tx, **values: Any) -> bool:
    """Insert a fact; False where this payment has one of the same identity."""
    made = {"recorded_at": tx.now, "stated": 0, **values}
    return tx.run(upserting(payment_facts).on_conflict_do_nothing(), made) == 1


def fact(tx: Tx, *, payment: str, word: str, ref: str, stated: int) -> Row[Any] | None:
    """Read one fact by its identity."""
    return tx.row(
        select(payment_facts).where(
            payment_facts.c.payment_id == payment,
            payment_facts.c.fact == word,
            payment_facts.c.provider_ref == ref,
            payment_facts.c.stated == stated,
        )
    )


def asking(tx: Tx, payment: str, word: str) -> list[Row[Any]]:
    """Read what we have asked of a payment and whose job is still to be done."""
    live = and_(jobs.c.uid == payment_facts.c.provider_ref, jobs.c.state.not_in(("d", "b")))
    query = select(payment_facts).join(jobs, live)
    mine = payment_facts.c.payment_id == payment, payment_facts.c.fact == word
    return tx.rows(query.where(*mine))


# -- disputes --------------------------------------------------------------------------------------
def dispute(tx: Tx, connector: str, ref: str) -> Row[Any] | None:
    """Find a dispute by its provider's id."""
    mine = disputes.c.connector == connector, disputes.c.provider_ref == ref
    return tx.row(select(disputes).where(*mine))


def dispute_page(
    tx: Tx, *, state: str | None, before: str | None, limit: int
) -> list[Row[Any]]:  # fmt: skip
    """Read a page of disputes, newest first; `state` is open or closed."""
    query = select(disputes).order_by(disputes.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(disputes.c.open == int(state == "open"))
    return tx.rows(query if before is None else query.where(disputes.c.id < before))


# -- refunds ---------------------------------------------------------------------------------------
def refunds_of(tx: Tx, payment: str) -> list[Row[Any]]:
    """Read a payment's refunds, oldest first."""
    query = select(refunds).where(refunds.c.payment_id == payment).order_by(refunds.c.id)
    return tx.rows(query)


def returning(tx: Tx, order: str) -> dict[str, int]:
    """Say how much of each payment of an order is being given back."""
    waits = refunds.c.state.in_(("requested", "pending"))
    query = select(refunds.c.payment_id, refunds.c.amount).where(refunds.c.order_id == order, waits)
    found: dict[str, int] = {}
    for row in tx.rows(query):
        found[row.payment_id] = found.get(row.payment_id, 0) + row.amount
    return found


def refund_by(tx: Tx, payment: str, words: Collection[str]) -> Row[Any] | None:
    """Find a payment's refund by our job's uid or the provider's id."""
    known = or_(refunds.c.job.in_(words), refunds.c.provider_ref.in_(words))
    query = select(refunds).where(refunds.c.payment_id == payment, known)
    return tx.row(query.order_by(refunds.c.job.is_(None), refunds.c.id))
