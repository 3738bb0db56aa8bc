"""Which payment a fact is about: found by what is known, made where nothing is; never dropped.

One payment has several names: a session and its intent, an intent and the charge that the shop's
backend wrote down. Rows that turn out to be one payment are merged, and their facts with them.
"""

from dataclasses import dataclass

from hub.shop.booking import open_payment
from hub.shop.facts import RecordPayment
from store import aggregates, orders, payments
from store.aggregates import Stored
from store.tx import Tx

SESSION_FACTS = frozenset({"linked", "checkout_expired"})


@dataclass(slots=True)
class Match:
    """The payment of a fact.

    Args:
        fresh: Nobody knew of it before.
        moved: Facts or the order came to it, so that its sums must be worked out again.
        taken: Its provider's id is that of another payment of ours.
    """

    row: Stored
    fresh: bool = False
    moved: bool = False
    taken: bool = False


def match(tx: Tx, fact: RecordPayment) -> Match:
    """Find the payment of a fact, or keep it unmatched under a new one.

    In turn: the id the provider gives it, the job of ours it echoes, the charge the shop has
    posted, the intent a session belongs to, the one payment of its order without an id yet.
    """
    order = orders.find(tx, fact.order) if fact.order else None
    found = _candidates(tx, fact, order)
    if found:
        kept = next((row for row in found if row.source != "provider"), found[0])
        done = Match(kept)
    else:
        done = _unknown(tx, fact, order)
    for other in found:
        _merge(tx, done, other)
    _name(tx, done, fact)
    _claim(tx, done, fact.order, order)
    return done


def bind(tx: Tx, row: Stored, ref: str) -> Match:
    """Know a payment of ours by the id its provider gave it, with all that came in under that."""
    done = Match(row)
    known = payments.by_ref(tx, row.connector, ref)
    if known is not None and known.claimed_order == row.order_id:
        known = aggregates.change(tx, "payment", known.id, claimed_order=None)
    _merge(tx, done, known)
    payments.name(tx, row.id, row.connector, ref)
    owner = payments.by_ref(tx, row.connector, ref)
    done.taken = owner is not None and owner.id != row.id
    if done.row.provider_ref is None and not done.taken:
        done.row = aggregates.change(tx, "payment", row.id, provider_ref=ref)
    return done


def _candidates(tx: Tx, fact: RecordPayment, order: Stored | None) -> list[Stored]:
    by_job = payments.by_job(tx, fact.connector, fact.job) if fact.job else None
    rows = [
        payments.by_ref(tx, fact.connector, fact.payment),
        by_job,
        payments.by_ref(tx, fact.connector, fact.ref),
        payments.by_ref(tx, fact.connector, fact.counterpart) if fact.counterpart else None,
    ]
    found = {row.id: row for row in rows if row is not None}
    if not found and order is not None:
        unnamed = [row for row in payments.of_order(tx, order.id) if _waits_for_name(row, fact)]
        return unnamed if len(unnamed) == 1 else []
    return list(found.values())


def _waits_for_name(row: Stored, fact: RecordPayment) -> bool:
    return (
        row.connector == fact.connector
        and row.source == "hub"
        and row.provider_ref is None
        and row.error is None
    )


def _unknown(tx: Tx, fact: RecordPayment, order: Stored | None) -> Match:
    row = open_payment(
        tx,
        fact.connector,
        "provider",
        fact.payment,
        order_id=order.id if order else None,
        currency=fact.currency,
    )
    return Match(row, fresh=True, moved=True)


def _merge(tx: Tx, done: Match, other: Stored | None) -> None:
    """Take in a row that only the provider had spoken of; two rows of our own stay apart."""
    kept = done.row
    if other is None or other.id == kept.id or other.source != "provider":
        return
    if other.order_id not in {None, kept.order_id} and kept.order_id is not None:
        return
    payments.move(tx, source=other.id, target=kept.id)
    payments.leave(tx, other.id, merged_into=kept.id)
    taken = {
        "order_id": kept.order_id or other.order_id,
        "provider_ref": other.provider_ref or kept.provider_ref,
    }
    done.row = aggregates.change(tx, "payment", kept.id, **taken)
    done.moved = True
    if other.claimed_order is not None:
        _claim(tx, done, other.claimed_order, orders.find(tx, other.claimed_order))


def _name(tx: Tx, done: Match, fact: RecordPayment) -> None:
    """Add the fact's names to the payment's; what refunds are asked by is the intent's."""
    row, main = done.row, fact.counterpart
    new = payments.by_ref(tx, fact.connector, fact.payment) is None
    if main is None and (row.provider_ref is None or (new and fact.fact not in SESSION_FACTS)):
        main = fact.payment
    for ref in (fact.payment, main):
        if ref is not None:
            payments.name(tx, row.id, fact.connector, ref)
    owner = payments.by_ref(tx, fact.connector, main) if main is not None else None
    if owner is not None and owner.id == row.id and main != row.provider_ref:
        done.row = aggregates.change(tx, "payment", row.id, provider_ref=main)


def _claim(tx: Tx, done: Match, named: str | None, order: Stored | None) -> None:
    """Compare the order a provider names with the one the payment is for."""
    row = done.row
    if named is None or (row.order_id is not None and order and order.id == row.order_id):
        return
    if row.order_id is None and order is not None:
        done.row = aggregates.change(tx, "payment", row.id, order_id=order.id, claimed_order=None)
        done.moved = True
    elif row.claimed_order != named and not (order is None and row.source == "shop"):
        done.row = aggregates.change(tx, "payment", row.id, claimed_order=named)
        done.moved = row.order_id is not None
