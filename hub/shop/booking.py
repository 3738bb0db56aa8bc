"""One payment's row: a fact written into it, its sums worked out again, and that told.

The row only keeps what its facts come to, so that reading is cheap.
"""

from typing import Any

from hub.ids import new_id
from hub.shop.events import Cause, tell
from hub.shop.ledger import Entry, payment_state, sums
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.reckoning import SUMS, entries_of
from store import aggregates, payments
from store.aggregates import Stored
from store.tx import Tx

TOLD_STATES = frozenset({"requires_action", "authorized", "cancelled", "lapsed"})


def open_payment(tx: Tx, connector: str, source: str, ref: str | None, **more: Any) -> Stored:
    """Make a payment's row, known by its provider's id where there is one already."""
    row = aggregates.add(
        tx,
        "payment",
        **{
            "id": new_id("pay", tx.now),
            "connector": connector,
            "source": source,
            "provider_ref": ref,
            "state": "created",
            **more,
        },
    )
    if ref is not None:
        payments.name(tx, row.id, connector, ref)
    return row


def refresh(tx: Tx, payment: str, cause: Cause, *, failed: bool = False) -> Stored:
    """Work out a payment's sums and state again, and tell what is new about it.

    Args:
        failed: An attempt to pay has just failed.
    """
    before = aggregates.get(tx, "payment", payment)
    if before is None:
        raise LookupError(f"no payment {payment}")
    entries = entries_of(tx, payment)
    of = sums(entries)
    values: dict[str, Any] = {name: getattr(of, name) for name in SUMS}
    values["currency"] = before.currency or _currency(entries)
    values["state"] = payment_state(entries, before.amount)
    if values["state"] == "created" and before.error is not None:
        values["state"] = "failed"
    row = aggregates.change(tx, "payment", payment, **values)
    for word in _words(before, row, failed=failed):
        tell(tx, f"shop.payment.{word}", payment_snapshot(row), cause)
    return row


def _currency(entries: list[Entry]) -> str | None:
    return next((entry.currency for entry in entries if entry.currency), None)


def _words(before: Stored, row: Stored, *, failed: bool) -> list[str]:
    words = ["failed"] if failed else []
    if row.state != before.state and row.state in TOLD_STATES:
        words.append(row.state)
    if row.captured > before.captured:
        words.append("captured")
    return words
