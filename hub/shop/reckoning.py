"""An order after something changed: its sums, statuses, holds and lifecycle, and what to tell.

All of it follows from the payments' facts; nobody sets a payment status by hand.
"""

from dataclasses import dataclass
from typing import Any

from hub.shop import cases
from hub.shop.events import Cause, tell
from hub.shop.guard import Account, Judgement, account, judge
from hub.shop.ledger import Entry, Sums, payment_status
from hub.shop.snapshots import order_snapshot
from store import aggregates, payments, stock
from store import cases as kept_cases
from store.aggregates import Stored
from store.tx import Tx

FINAL = frozenset({"closed", "cancelled", "expired"})
SUMS = ("authorized", "captured", "refunded", "charged_back")


@dataclass(frozen=True, slots=True)
class Turn:
    """An order's change: the row before, and the columns that are other now."""

    before: Stored
    after: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.after.get(name, getattr(self.before, name))

    def new(self, name: str) -> bool:
        """Say whether a column is other than before."""
        return name in self.after and self.after[name] != getattr(self.before, name)


def reckon(tx: Tx, order: str, cause: Cause) -> Stored:
    """Work out where an order stands, keep what changed and tell it; give its row."""
    before = aggregates.lock(tx, "order", order)
    if before is None:
        raise LookupError(f"no order {order}")
    verdict = judge(order, before.currency, before.total, accounts_of(tx, order))
    _count(tx, order, verdict)
    reasons = cases.match(tx, order, verdict.problems, cause)
    if before.staff_hold is not None:
        reasons = sorted({*reasons, "staff"})
    turn = _turn(before, verdict.whole, reasons, cause.at or tx.now)
    if not any(turn.new(name) for name in turn.after):
        return before
    row = aggregates.change(tx, "order", order, **turn.after)
    if turn.new("placed_at"):
        stock.commit(tx, order)
    _tell(tx, row, turn, cause)
    return row


def accounts_of(tx: Tx, order: str) -> list[Account]:
    """Read an order's payments with their facts."""
    rows = payments.of_order(tx, order)
    trusted = kept_cases.attached(tx, order) if rows else set()
    returning = payments.returning(tx, order) if rows else {}
    return [
        account(
            ident=row.id,
            connector=row.connector,
            asked=row.amount,
            claimed=row.claimed_order,
            ours=row.source == "hub",
            entries=entries_of(tx, row.id),
            trusted=row.id in trusted,
            returning=returning.get(row.id, 0),
        )
        for row in rows
    ]


def entries_of(tx: Tx, payment: str) -> list[Entry]:
    """Read a payment's facts as the ledger takes them."""
    return [
        Entry(
            fact=row.fact,
            ref=row.provider_ref,
            at=row.occurred_at,
            amount=row.amount or 0,
            currency=row.currency,
            stated=bool(row.stated),
            code=row.code,
        )
        for row in payments.facts_of(tx, payment)
    ]


def _count(tx: Tx, order: str, verdict: Judgement) -> None:
    for row in payments.of_order(tx, order):
        counts = int(row.id in verdict.counting)
        if row.counts != counts:
            aggregates.change(tx, "payment", row.id, counts=counts)


def _turn(before: Stored, whole: Sums, reasons: list[str], now: Any) -> Turn:
    after: dict[str, Any] = {name: getattr(whole, name) for name in SUMS}
    after["payment_status"] = payment_status(whole, before.total)
    after["hold_reasons"] = reasons
    covered = whole.authorized + whole.captured >= before.total
    after["lifecycle"] = _lifecycle(before, held=bool(reasons), covered=covered)
    paid = whole.captured >= before.total and not reasons
    if after["lifecycle"] == "placed" and before.placed_at is None:
        after |= {"placed_at": now, "expires_at": None}
    if before.authorized_at is None and after["payment_status"] == "authorized" and not reasons:
        after["authorized_at"] = now
    if before.paid_at is None and paid and before.lifecycle not in FINAL:
        after["paid_at"] = now
    return Turn(before, after)


def _lifecycle(before: Stored, *, held: bool, covered: bool) -> str:
    """Move between pending_payment, on_hold and placed; all else stays."""
    if before.lifecycle not in {"pending_payment", "placed", "on_hold"}:
        return str(before.lifecycle)
    if held:
        return "on_hold"
    return "placed" if covered or before.placed_at is not None else "pending_payment"


def _tell(tx: Tx, row: Stored, turn: Turn, cause: Cause) -> None:
    """Tell a change, the general before the special: one event for each word that holds."""
    snapshot = order_snapshot(tx, row)
    if turn.new("payment_status"):
        change = {"from": turn.before.payment_status, "to": row.payment_status}
        tell(tx, "shop.order.payment_status_changed", snapshot, cause, change=change)
    for word in _words(turn):
        more = {"reasons": row.hold_reasons} if word == "held" else {}
        tell(tx, f"shop.order.{word}", snapshot, cause, **more)


def _words(turn: Turn) -> list[str]:
    status = turn["payment_status"]
    grown = turn["refunded"] > turn.before.refunded or turn.new("payment_status")
    held, was = set(turn["hold_reasons"]), set(turn.before.hold_reasons)
    words = {
        "held": turn["lifecycle"] == "on_hold" and bool(held - was),
        "released": turn.new("lifecycle") and turn.before.lifecycle == "on_hold",
        "authorized": turn.new("authorized_at"),
        "placed": turn.new("placed_at"),
        "paid": turn.new("paid_at"),
        "refunded": status in {"refunded", "partially_refunded"} and grown,
        "payment_failed": status == "failed" and turn.new("payment_status"),
    }
    return [word for word, holds in words.items() if holds]
