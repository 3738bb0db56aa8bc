"""Orders: written once, for a cart of ours or an order made elsewhere; copies of everything."""

from datetime import UTC, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.payments import Sum
from hub.shop.customers import customer_for
from hub.shop.events import Cause, tell
from hub.shop.inputs import Address, Currency, Email, Input, Metadata, Price, Qty, Word
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.snapshots import order_snapshot, order_view
from hub.shop.stating import StatedPayment, state_payments, take_claimed
from store import aggregates, catalog, orders
from store.aggregates import Stored
from store.tx import Tx

AHEAD = timedelta(minutes=5)


class Person(Input):
    """Who an order made elsewhere is for."""

    email: Email
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    locale: Word | None = None
    guest: bool = False


class NewLine(Input):
    """One line of an order made elsewhere, at the price it was sold at.

    `tax` and `discount` are the whole line's. The SKU need not be in our catalogue.
    """

    sku: Word
    title: Word
    qty: Qty
    unit_price: Price
    discount: Price | None = None
    tax: Price | None = None
    gift: bool = False


class NewOrder(Input):
    """An order made elsewhere. `placed_at` says that the shop has accepted it, paid or not.

    `prices_include_tax` says that the lines' taxes are part of their prices. `total`, where it is
    given, must be what the lines and the shipping come to.
    """

    external_ref: Word
    origin: Literal["live", "import"] = "live"
    number: Word | None = None
    currency: Currency
    customer: Person
    lines: tuple[NewLine, ...] = Field(min_length=1, max_length=500)
    shipping: Price | None = None
    prices_include_tax: bool = False
    total: Price | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    placed_at: AwareDatetime | None = None
    payments: tuple[StatedPayment, ...] = Field(default=(), max_length=20)
    test: bool = False
    metadata: Metadata = Field(default_factory=dict)


def create_order(tx: Tx, item: NewOrder, rules: ShopRules) -> dict[str, Json]:
    """Take in an order made elsewhere, with the payments its shop has taken for it.

    A payment listed is the shop's word that the money was captured, and counts at once: the order
    becomes paid where they cover its total. What the provider says of that payment, before or
    after, is the same payment (known by its own id, or by its charge's), confirms the shop's word
    and is not added to it; see `hub.shop.ledger`. No stock is taken: the other system keeps it.

    Raises:
        Refused: external_ref_exists {order}, currency_mismatch, validation_error.
    """
    _check(tx, item, rules)
    at = item.placed_at.astimezone(UTC) if item.placed_at else None
    cause = Cause(origin=item.origin, at=at)
    lines = [_line(line, included=item.prices_include_tax) for line in item.lines]
    row = _write(tx, item, lines, cause, test=item.test or rules.test)
    state_payments(tx, row, item.payments, cause)
    take_claimed(tx, row)
    row = reckon(tx, row.id, cause)
    if at is not None and row.lifecycle == "pending_payment":
        row = aggregates.change(tx, "order", row.id, lifecycle="placed", placed_at=at)
        tell(tx, "shop.order.placed", order_snapshot(tx, row), cause)
    return {"order": order_view(tx, row)}


def write_order(
    tx: Tx, head: dict[str, Any], lines: list[dict[str, Any]], *, number: str | None = None
) -> Stored | None:
    """Insert an order and its lines, its totals added up; None where its external_ref is taken.

    Args:
        head: Columns of the order; `shipping` among them.
        lines: Columns of each line; gets its id and order here.
    """
    sums = {name: sum(line[name] for line in lines) for name in ("discount", "tax", "total")}
    sums["items"] = sum(line["qty"] * line["unit_price"] for line in lines)
    sums["total"] += head["shipping"]
    aside = head.get("shipping_tax", 0)
    sums["tax"] += aside
    sums["total"] += 0 if head.get("prices_include_tax") else aside
    made = {
        "id": new_id("ord", tx.now),
        "payment_status": "none",
        "lifecycle": "pending_payment",
        "hold_reasons": [],
        **head,
        **sums,
    }
    row = aggregates.add_new(tx, "order", **made)
    if row is None:
        return None
    for position, line in enumerate(lines, start=1):
        line |= {"id": new_id("lin", tx.now), "order_id": row.id, "position": position}
    orders.add_lines(tx, lines)
    return orders.set_number(tx, row.id, number)


def _check(tx: Tx, item: NewOrder, rules: ShopRules) -> None:
    for pointer, money in _money(item):
        if money.currency != item.currency:
            raise mismatch(f"{pointer}/currency", f"the order is in {item.currency}")
    for position, paid in enumerate(item.payments):
        rules.effects(paid.connector, f"/payments/{position}/connector")
    if item.placed_at is not None and item.placed_at > tx.now + AHEAD:
        raise invalid("/placed_at", "lies in the future")


def _money(item: NewOrder) -> list[tuple[str, Sum]]:
    """Give every sum of an order with its place."""
    found = [("/shipping", item.shipping), ("/total", item.total)]
    found += [
        (f"/lines/{position}/{name}", getattr(line, name))
        for position, line in enumerate(item.lines)
        for name in ("unit_price", "discount", "tax")
    ]
    found += [(f"/payments/{n}/amount", paid.amount) for n, paid in enumerate(item.payments)]
    return [(pointer, money) for pointer, money in found if money is not None]


def _line(line: NewLine, *, included: bool) -> dict[str, Any]:
    discount = line.discount.amount if line.discount else 0
    tax = line.tax.amount if line.tax else 0
    return {
        "variant_id": None,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
        "unit_price": line.unit_price.amount,
        "discount": discount,
        "tax": tax,
        "total": line.qty * line.unit_price.amount - discount + (0 if included else tax),
        "gift": int(line.gift),
    }


def _write(
    tx: Tx, item: NewOrder, lines: list[dict[str, Any]], cause: Cause, *, test: bool
) -> Stored:
    for position, line in enumerate(lines):
        if line["total"] < 0:
            raise invalid(f"/lines/{position}/discount", "is more than the line")
    known = catalog.find_variants(tx, [line["sku"] for line in lines], item.currency)
    for line in lines:
        line["variant_id"] = known[line["sku"]].id if line["sku"] in known else None
    person = item.customer.model_dump(exclude={"guest"})
    customer = customer_for(tx, cause, **person)
    head = _head(item) | {"test": int(test), "customer_id": customer.id} | person
    row = write_order(tx, head, lines, number=item.number or item.external_ref)
    if row is None:
        taken = orders.find(tx, item.external_ref)
        about = taken.id if taken else None
        raise Refused("external_ref_exists", f"{item.external_ref} is {about}", order=about)
    if item.total is not None and item.total.amount != row.total:
        raise invalid("/total", f"the lines and the shipping come to {row.total}")
    tell(tx, "shop.order.created", order_snapshot(tx, row), cause)
    return row


def _head(item: NewOrder) -> dict[str, Any]:
    return {
        "currency": item.currency,
        "origin": item.origin,
        "external_ref": item.external_ref,
        "guest": int(item.customer.guest),
        "billing_address": _address(item.billing_address),
        "shipping_address": _address(item.shipping_address),
        "shipping": item.shipping.amount if item.shipping else 0,
        "metadata": item.metadata,
    }


def _address(address: Address | None) -> Json:
    return None if address is None else address.model_dump(exclude_none=True)
