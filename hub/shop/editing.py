"""Changes of an order that exists: its lines, its addresses, notes beside it."""

from typing import Annotated, Any

from pydantic import Field

from hub.errors import Refused
from hub.model import Json, rfc3339
from hub.shop import refunds
from hub.shop.asking import ask_cancel
from hub.shop.events import Cause, tell
from hub.shop.inputs import Address, Input, Metadata, Word
from hub.shop.pricing import share
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid
from hub.shop.snapshots import order_snapshot, order_view
from hub.shop.steps import order_to_change, step
from hub.shop.stocking import counted_lines, give_back_some, take
from hub.shop.versions import ANY, Match
from store import aggregates, fulfilments, orders, payments
from store.aggregates import Stored
from store.tx import Tx

EDITABLE = frozenset({"draft", "pending_payment", "placed", "on_hold"})


class NewQty(Input):
    """How many of a line there shall be; 0 takes it off."""

    line: Word
    qty: Annotated[int, Field(ge=0, le=10_000)]


class LinesEdit(Input):
    """The quantities of some lines; lines not named stay as they are."""

    lines: tuple[NewQty, ...] = Field(min_length=1, max_length=500)


class EditLines(LinesEdit):
    """Lines of an order to be changed."""

    order: Word


class OrderChange(Input):
    """What else of an order may change; what is not named stays."""

    metadata: Metadata | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None


class Note(Input):
    """A note for the people who look after the order."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


def edit_lines(tx: Tx, item: EditLines, rules: ShopRules, match: Match = ANY) -> dict[str, Json]:
    """Change quantities: stock, taxes and totals follow; what was paid too much goes back.

    A price agreed stays, and a discount shrinks with its line. An open payment of the old total is
    cancelled: ask for the rest with a new one.

    Raises:
        Refused: not_found, version_conflict, invalid_transition, out_of_stock, qty_exceeds_open,
            validation_error.
    """
    row = order_to_change(tx, item.order, match)
    step(row, row.lifecycle, EDITABLE)
    cause = Cause()
    for line, qty in _changes(tx, row, item):
        _stock(tx, row, line, qty, cause)
        orders.change_line(tx, line.id, **_line(row, line, qty))
    row = aggregates.change(tx, "order", row.id, **_totals(tx, row))
    tell(tx, "shop.order.edited", order_snapshot(tx, row), cause)
    _money(tx, row, rules)
    return {"order": order_view(tx, reckon(tx, row.id, cause))}


def change_order(tx: Tx, ident: str, item: OrderChange, match: Match = ANY) -> dict[str, Json]:
    """Change an order's metadata, or its addresses until goods have left.

    Raises:
        Refused: not_found, version_conflict, not_cancellable (an address, after shipping).
    """
    row = order_to_change(tx, ident, match)
    given = item.model_dump(exclude_none=True)
    sent = [f for f in fulfilments.of_order(tx, row.id) if f.shipped_at is not None]
    if sent and set(given) - {"metadata"}:
        told = {"from": "shipped", "to": "shipped", "allowed": []}
        raise Refused("invalid_transition", "the goods have left with their address", **told)
    row = aggregates.change(tx, "order", row.id, **given)
    tell(tx, "shop.order.edited", order_snapshot(tx, row), Cause())
    return {"order": order_view(tx, row)}


def add_note(tx: Tx, ident: str, item: Note, who: str) -> dict[str, Json]:
    """Write a note beside an order; it tells nobody.

    Raises:
        Refused: not_found.
    """
    if aggregates.get(tx, "order", ident) is None:
        raise Refused("not_found", "there is no such order")
    return note_view(orders.add_note(tx, ident, who=who, text=item.text))


def note_view(row: Stored) -> dict[str, Json]:
    """Give a note as the API answers it."""
    return {"id": row.n, "who": row.who, "text": row.text, "at": rfc3339(row.at)}


def _changes(tx: Tx, order: Stored, item: EditLines) -> list[tuple[Stored, int]]:
    known = {line.id: line for line in orders.lines_of(tx, order.id)}
    planned = fulfilments.planned(tx, order.id)
    asked: dict[str, int] = {}
    for position, wish in enumerate(item.lines):
        if wish.line not in known or wish.line in asked:
            raise invalid(f"/lines/{position}/line", "no line of this order, or named twice")
        asked[wish.line] = wish.qty
    least = {n: known[n].qty_fulfilled + planned.get(n, 0) for n in asked}
    if over := [{"line": n, "least": least[n]} for n, qty in asked.items() if qty < least[n]]:
        raise Refused("qty_exceeds_open", "so many are sent or packed already", items=over)
    # Stock is locked in the order of variants.
    found = [(known[n], qty) for n, qty in asked.items() if qty != known[n].qty]
    return sorted(found, key=lambda pair: (pair[0].variant_id or "", pair[0].position))


def _stock(tx: Tx, order: Stored, line: Stored, qty: int, cause: Cause) -> None:
    if qty < line.qty:
        give_back_some(tx, order.id, line.id, line.qty - qty, cause, reason="line reduced")
        return
    counted = {found["id"]: found for found in counted_lines(tx, order)}
    if order.lifecycle == "draft" or line.variant_id is None or order.external_ref is not None:
        return
    more = dict(line._mapping) | {"qty": qty - line.qty}  # noqa: SLF001 -- a public accessor of SQLAlchemy
    if line.id in counted or line.qty == 0:
        state = "held" if order.placed_at is None else "committed"
        take(tx, [more], cause, until=order.expires_at, state=state)


def _line(order: Stored, line: Stored, qty: int) -> dict[str, Any]:
    """Work a line out for another quantity, its discount and tax in proportion."""
    discount = line.discount * qty // line.qty if line.qty else 0
    base = qty * line.unit_price - discount
    within = line.total == line.qty * line.unit_price - line.discount
    if line.tax_rate is not None:
        within = bool(order.prices_include_tax)
        tax = share(base, line.tax_rate, included=within)
    else:
        tax = (2 * line.tax * qty + line.qty) // (2 * line.qty) if line.qty else 0
    return {
        "qty": qty,
        "discount": discount,
        "tax": tax,
        "total": base if within else base + tax,
        "qty_cancelled": line.qty_cancelled + max(line.qty - qty, 0),
    }


def _totals(tx: Tx, order: Stored) -> dict[str, int]:
    lines = orders.lines_of(tx, order.id)
    made = {name: sum(getattr(line, name) for line in lines) for name in ("discount", "tax")}
    made["items"] = sum(line.qty * line.unit_price for line in lines)
    within = order.prices_include_tax
    made["total"] = sum(line.total for line in lines) + order.shipping
    made["total"] += 0 if within else order.shipping_tax
    made["tax"] += order.shipping_tax
    _taxes(tx, order, lines)
    return made


def _taxes(tx: Tx, order: Stored, lines: list[Stored]) -> None:
    """Write the tax lines anew; the shipping's stays."""
    kept = [row for row in orders.taxes_of(tx, order.id) if row.line_id is None]
    before = {row.line_id: row for row in orders.taxes_of(tx, order.id)}
    rows = [
        {
            "line_id": line.id,
            "tax_class": line.tax_class,
            "treatment": before[line.id].treatment if line.id in before else "not_computed",
            "rate": line.tax_rate or 0,
            "base": line.qty * line.unit_price - line.discount,
            "amount": line.tax,
        }
        for line in lines
    ]
    names = ("line_id", "tax_class", "treatment", "rate", "base", "amount")
    rows += [{name: getattr(row, name) for name in names} for row in kept]
    orders.write_taxes(tx, order.id, rows)


def _money(tx: Tx, order: Stored, rules: ShopRules) -> None:
    """Give back what is paid too much, and cancel open payments of another total."""
    made = payments.of_order(tx, order.id)
    over = sum(p.captured - p.refunded - p.charged_back for p in made if p.counts) - order.total
    for paid in made:
        back = min(over, refunds.refundable(tx, paid))
        if back > 0:
            refunds.give_back(tx, paid, back, rules, reason="order edited")
            over -= back
        elif paid.captured == 0 and paid.authorized == 0:
            ask_cancel(tx, paid, rules)
