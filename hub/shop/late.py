"""Money for an order that has ended: a case, or what the shop has set; never silence."""

from hub.errors import Refused
from hub.shop import cases, refunds
from hub.shop.asking import ask_cancel
from hub.shop.facts import RecordPayment, cause_of, identity
from hub.shop.guard import Problem
from hub.shop.lifecycle import revive, take_up
from hub.shop.rules import ShopRules
from store.aggregates import Stored
from store.tx import Tx

REVIVABLE = frozenset({"expired", "cancelled"})


def arrived(
    tx: Tx, order: Stored, row: Stored, fact: RecordPayment, rules: ShopRules
) -> None:  # fmt: skip
    """Settle late money as `shop.late_money` says; what cannot be settled is a person's case.

    Args:
        row: The payment, its sums worked out with this fact.
    """
    cause = cause_of(tx, fact)
    if rules.late_money == "revive" and order.lifecycle in REVIVABLE and order.placed_at is None:
        try:
            tx.attempt(lambda: revive(tx, order, cause))
        except Refused as no:
            problem = Problem("oversold", order.id, {"items": no.extra.get("items", [])})
            cases.open_case(tx, problem, order.id, cause)
            take_up(tx, order, cause)
        return
    back = refunds.refundable(tx, row)
    if rules.late_money == "refund" and back > 0:
        refunds.give_back(tx, row, back, rules, reason="late money")
        return
    if rules.late_money == "refund" and row.authorized and ask_cancel(tx, row, rules):
        return
    told = {"lifecycle": order.lifecycle, "ref": identity(fact), "amount": fact.amount}
    cases.open_case(tx, Problem("late_money", row.id, told), order.id, cause)
