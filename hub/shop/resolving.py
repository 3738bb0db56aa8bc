"""Resolving cases: what a person may do about each kind, and what that does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.payments import Sum
from hub.shop import cases, lifecycle, refunds
from hub.shop.asking import ask_again, ask_stray
from hub.shop.booking import refresh
from hub.shop.capturing import payment_to_change
from hub.shop.events import Cause
from hub.shop.guard import Problem
from hub.shop.inputs import Input, Price, Word
from hub.shop.lifecycle import CancelOrder
from hub.shop.money_snapshots import case_snapshot
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.steps import order_to_change
from hub.shop.stocking import counted_lines, take
from store import aggregates, payments, stock
from store.aggregates import Stored
from store.tx import Tx


class Resolution(Input):
    """What a person decides; `amount` for a refund of another sum, `order` to attach to."""

    resolution: Word
    note: Word | None = None
    amount: Price | None = None
    order: Word | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One resolution at work."""

    tx: Tx
    case: Stored
    item: Resolution
    rules: ShopRules

    @property
    def stray(self) -> tuple[str, str] | None:
        """Give connector and provider's id of a payment that we do not know."""
        connector, _, ref = self.case.subject.partition(":")
        return (connector, ref) if ref else None

    def order(self) -> Stored:
        """Lock the order the case is about."""
        if self.case.order_id is None:
            raise invalid("/resolution", "the case is about no order")
        return order_to_change(self.tx, self.case.order_id)

    def payments(self) -> list[Stored]:
        """Give the payments the case is about: its subject, or all of its order."""
        if self.case.subject.startswith("pay_"):
            return [payment_to_change(self.tx, self.case.subject)]
        if self.case.subject.startswith("ref_"):
            refund = aggregates.get(self.tx, "refund", self.case.subject)
            return [payment_to_change(self.tx, refund.payment_id)] if refund else []
        return payments.of_order(self.tx, self.case.order_id or "")


def resolve_case(
    tx: Tx, ident: str, item: Resolution, rules: ShopRules, by: str
) -> dict[str, Json]:  # fmt: skip
    """Resolve a case, and do what the resolution means; its order is worked out again.

    Raises:
        Refused: not_found, case_resolved, validation_error (no such resolution of this kind), and
            what the deed itself refuses.
    """
    row = aggregates.get(tx, "case", ident)
    if row is None:
        raise Refused("not_found", "there is no such case")
    if row.order_id is not None:
        order_to_change(tx, row.order_id)
    row = aggregates.lock(tx, "case", ident)
    if row is None or row.state != "open":
        raise Refused("case_resolved", "somebody has resolved it already")
    known = RESOLUTIONS.get(row.kind, GENERAL)
    act = known.get(item.resolution)
    if act is None:
        raise invalid("/resolution", f"of {row.kind} there is: {', '.join(sorted(known))}")
    accepted = act(Deed(tx=tx, case=row, item=item, rules=rules))
    how = {"resolution": item.resolution, "resolved_by": by, "note": item.note}
    current = aggregates.get(tx, "case", ident)
    if current is not None and current.state == "open":
        cases.close(tx, row, {**how, "accepted": int(accepted)}, Cause())
    else:  # what was done has settled it; whose word that was stays on it
        aggregates.change(tx, "case", ident, **how)
    if row.order_id is not None:
        reckon(tx, row.order_id, Cause())
        if row.kind == "amount_mismatch" and item.resolution == "accept":
            _place(tx, row.order_id)
    closed = aggregates.get(tx, "case", ident)
    return {"case": case_snapshot(closed or row)}


def allowed(kind: str) -> list[str]:
    """Name the resolutions of a kind of case."""
    return sorted(RESOLUTIONS.get(kind, GENERAL))


def case_view(row: Stored) -> dict[str, Json]:
    """Give a case with the resolutions there are while it is open."""
    choice = {"resolutions": allowed(row.kind)} if row.state == "open" else {}
    return case_snapshot(row) | choice


# -- deeds: each does one thing; True says that the case's word is accepted as it is ---------------
def _accept(_: Deed) -> bool:
    return True


def _cancel(deed: Deed) -> bool:
    order = deed.order()
    if order.lifecycle in lifecycle.LIVING:
        item = CancelOrder(order=order.id, reason=deed.item.note or deed.case.kind)
        lifecycle.cancel_order(deed.tx, item, deed.rules)
    return True


def _refund(deed: Deed) -> bool:
    """Give back the sum named, or all that can be."""
    wanted = None if deed.item.amount is None else deed.item.amount
    for row in deed.payments():
        left = refunds.refundable(deed.tx, row)
        if wanted is not None and wanted.currency != row.currency:
            raise mismatch("/amount/currency", f"the payment is in {row.currency}")
        amount = left if wanted is None else wanted.amount
        if amount > left:
            told = Sum(amount=left, currency=row.currency or "XXX").model_dump()
            raise Refused("amount_exceeds_captured", f"{left} can be refunded", refundable=told)
        if amount:
            refunds.give_back(deed.tx, row, amount, deed.rules, reason=deed.item.note)
    return True


def _refund_difference(deed: Deed) -> bool:
    order = deed.order()
    made = payments.of_order(deed.tx, order.id)
    over = sum(p.captured - p.refunded - p.charged_back for p in made if p.counts) - order.total
    for row in reversed(made):  # the newest first: it is the one too much
        back = min(over, refunds.refundable(deed.tx, row))
        if back > 0:
            refunds.give_back(deed.tx, row, back, deed.rules, reason=deed.item.note)
            over -= back
    if over > 0:
        raise invalid("/resolution", f"{over} too much cannot be refunded")
    return True


def _attach(deed: Deed) -> bool:
    """Say that a payment is an order's, wherever it comes from."""
    wanted = deed.item.order or deed.case.order_id
    if wanted is None:
        raise invalid("/order", "name the order this payment is for")
    order = order_to_change(deed.tx, wanted)
    row = payment_to_change(deed.tx, deed.case.subject)
    if row.order_id is not None and row.order_id != order.id and row.source != "provider":
        raise invalid("/order", f"the payment is {row.order_id}'s")
    aggregates.change(deed.tx, "payment", row.id, order_id=order.id, claimed_order=None)
    aggregates.change(deed.tx, "case", deed.case.id, order_id=order.id)
    before = row.order_id
    mark = {"accepted": 1, "resolution": "attach"}
    aggregates.change(deed.tx, "case", deed.case.id, **mark)
    reckon(deed.tx, order.id, Cause())
    if before is not None and before != order.id:
        reckon(deed.tx, before, Cause())
    return True


def _revive(deed: Deed) -> bool:
    lifecycle.revive(deed.tx, deed.order(), Cause())
    return True


def _backorder(deed: Deed) -> bool:
    """Sell what is not there: the stock may go below nothing by what the order lacks."""
    order = deed.order()
    for line in counted_lines(deed.tx, order):
        rows = stock.rows_of(deed.tx, [line["variant_id"]])
        if rows and all(row.available < line["qty"] for row in rows):
            best = max(rows, key=lambda row: row.available)
            lacks = line["qty"] - best.available
            stock.allow(deed.tx, line["variant_id"], best.location_id, lacks)
    return _adjust(deed)


def _adjust(deed: Deed) -> bool:
    """Take the stock now, which staff have mended."""
    order = deed.order()
    take(deed.tx, counted_lines(deed.tx, order), Cause(), until=None)
    return False


def _retry(deed: Deed) -> bool:
    """Ask once more: a refund anew, or the provider how the payment stands."""
    if deed.stray is not None:
        ask_stray(deed.tx, *deed.stray, f"case:{deed.case.id}", deed.rules)
        return True
    amount = deed.case.evidence.get("amount") if isinstance(deed.case.evidence, dict) else None
    for row in deed.payments():
        if deed.case.kind == "refund_failed" and isinstance(amount, int):
            money = Sum(amount=amount, currency=row.currency)
            asked = refunds.RequestRefund(payment=row.id, amount=money, reason=deed.item.note)
            refunds.request_refund(deed.tx, asked, deed.rules)
        else:
            ask_again(deed.tx, row, f"case:{deed.case.id}", deed.rules)
    return True


def _record(deed: Deed) -> bool:
    """Write down what a person knows: the money went back by another way."""
    if deed.item.amount is None:
        raise invalid("/amount", "say how much went back")
    if deed.stray is not None:
        raise invalid("/resolution", "no payment of ours is known by this id: retry first")
    for row in deed.payments():
        if deed.item.amount.currency != row.currency:
            raise mismatch("/amount/currency", f"the payment is in {row.currency}")
        payments.add_fact(
            deed.tx,
            payment_id=row.id,
            connector=row.connector,
            fact="refunded",
            provider_ref=new_id("ref", deed.tx.now),
            stated=1,
            amount=deed.item.amount.amount,
            currency=row.currency,
            occurred_at=deed.tx.now,
        )
        refresh(deed.tx, row.id, Cause())
    return True


Act = Callable[[Deed], bool]
GENERAL: Mapping[str, Act] = {"accept": _accept, "keep": _accept}
_MONEY: Mapping[str, Act] = {
    "accept": _accept, "refund_difference": _refund_difference, "refund_all": _refund,
    "cancel": _cancel,
}  # fmt: skip
_STRAY: Mapping[str, Act] = {"attach": _attach, "refund": _refund, "keep": _accept}
_REPAIR: Mapping[str, Act] = {"retry": _retry, "record": _record, "write_off": _accept}
RESOLUTIONS: Mapping[str, Mapping[str, Act]] = {
    "amount_mismatch": _MONEY,
    "overpaid": _MONEY,
    "double_payment": _MONEY,
    "currency_mismatch": {"accept": _accept, "refund_all": _refund, "cancel": _cancel},
    "foreign_payment": _STRAY,
    "unmatched_payment": _STRAY,
    "late_money": {"refund": _refund, "keep": _accept, "revive": _revive},
    "dispute": {"accept": _accept, "refund": _refund, "release": _accept},
    "fraud_warning": {"accept": _accept, "refund": _refund, "release": _accept},
    "oversold": {"backorder": _backorder, "adjust": _adjust, "cancel": _cancel},
    "refund_failed": _REPAIR,
    "ledger_conflict": _REPAIR,
    "ledger_drift": _REPAIR,
}


def _place(tx: Tx, order: str) -> None:
    """Accept an order with less than its total, since a person has accepted that."""
    row = aggregates.get(tx, "order", order)
    if row is not None and row.lifecycle == "pending_payment" and row.captured + row.authorized:
        lifecycle.place(tx, row, Cause())


def oversold(tx: Tx, order: Stored, items: Json, cause: Cause) -> None:
    """Tell that an order was paid whose stock could not be taken again; a person must settle it."""
    cases.open_case(tx, Problem("oversold", order.id, {"items": items}), order.id, cause)
