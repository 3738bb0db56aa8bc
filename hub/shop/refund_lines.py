"""What some goods of an order cost, to the last minor unit, however often parts are given back."""

from collections.abc import Sequence

from hub.errors import Refused
from hub.shop.fulfilling import come_back, follow
from hub.shop.inputs import Input, Qty, Word
from hub.shop.rules import invalid
from store import orders, payments
from store.aggregates import Stored
from store.tx import Tx

UNDONE = frozenset({"failed", "cancelled", "reversed"})


class RefundLine(Input):
    """How many of which order line are given back."""

    line: Word
    qty: Qty


def cost(tx: Tx, payment: Stored, wanted: Sequence[RefundLine]) -> int:
    """Add up what goods cost; the parts of a line given back one by one come to its total.

    Raises:
        Refused: qty_exceeds_open, validation_error.
    """
    if payment.order_id is None:
        raise invalid("/lines", "the payment has no order")
    known = {line.id: line for line in orders.lines_of(tx, payment.order_id)}
    before = _given_back(tx, payment.order_id)
    total = 0
    for position, wish in enumerate(wanted):
        line = known.get(wish.line)
        if line is None or wish.line in {w.line for w in wanted[:position]}:
            raise invalid(f"/lines/{position}/line", "no line of this order, or named twice")
        gone = before.get(wish.line, 0)
        whole = line.qty + line.qty_cancelled
        if gone + wish.qty > whole:
            left = [{"line": wish.line, "open": whole - gone}]
            raise Refused("qty_exceeds_open", "more than is left of the line", items=left)
        price = line.total * whole // line.qty if line.qty else 0
        total += price * (gone + wish.qty) // whole - price * gone // whole
    return total


def restock(tx: Tx, payment: Stored, wanted: Sequence[RefundLine], ref: str) -> None:
    """Put the goods of a refund on hand again.

    Raises:
        Refused: qty_exceeds_open where they have not left, or are back already.
    """
    if payment.order_id is not None:
        lines = sorted((wish.line, wish.qty) for wish in wanted)
        come_back(tx, payment.order_id, lines, restock=True, ref=ref)
        follow(tx, payment.order_id)


def _given_back(tx: Tx, order: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for paid in payments.of_order(tx, order):
        for refund in payments.refunds_of(tx, paid.id):
            if refund.state in UNDONE:
                continue
            for line in refund.lines or ():
                found[line["line"]] = found.get(line["line"], 0) + line["qty"]
    return found
