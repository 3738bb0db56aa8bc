"""The shop's part of `hub verify`: every stored sum and status worked out again from the facts."""

from collections.abc import Iterator

from hub.shop.fulfilling import fulfilment_status
from hub.shop.guard import judge
from hub.shop.ledger import payment_state, payment_status, sums
from hub.shop.reckoning import SUMS, accounts_of, entries_of
from store import orders, payments
from store.aggregates import Stored
from store.tx import Tx


def drifted_payments(tx: Tx) -> Iterator[str]:
    """Name each payment whose row is not what its facts come to."""
    for row in payments.all_of(tx):
        entries = entries_of(tx, row.id)
        state = payment_state(entries, row.amount)
        if state == "created" and row.error is not None:
            state = "failed"
        of = sums(entries)
        if (row.state, *_money(row)) != (state, *(getattr(of, name) for name in SUMS)):
            yield f"{row.id} is {row.state} with {_money(row)}; its facts say {state}, {of}"


def drifted_orders(tx: Tx) -> Iterator[str]:
    """Name each order whose sums or payment status are not what its payments come to."""
    for row in orders.all_of(tx):
        whole = judge(row.id, row.currency, row.total, accounts_of(tx, row.id)).whole
        status = payment_status(whole, row.total)
        if (row.payment_status, *_money(row)) != (status, *(getattr(whole, n) for n in SUMS)):
            yield f"{row.id} is {row.payment_status} with {_money(row)}; its facts say {status}"


def drifted_fulfilments(tx: Tx) -> Iterator[str]:
    """Name each order whose fulfilment status is not what its lines come to."""
    for row in orders.all_of(tx):
        status = fulfilment_status(orders.lines_of(tx, row.id))
        if row.fulfilment_status != status:
            yield f"{row.id} is {row.fulfilment_status}; its lines say {status}"


def _money(row: Stored) -> tuple[int, ...]:
    return tuple(getattr(row, name) for name in SUMS)
