"""Carts: lines at the catalogue's prices, until completing one makes its order."""

from typing import Any

from pydantic import Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.asking import PaymentWish, ask_payment, check_wish
from hub.shop.catalog_snapshots import cart_snapshot, cart_totals
from hub.shop.customers import customer_for
from hub.shop.events import Cause, tell
from hub.shop.inputs import Currency, Email, Input, Metadata, Price, Qty, Word
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.orders import write_order
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.snapshot import PERSON
from hub.shop.snapshots import order_snapshot, order_view
from store import aggregates, carts, catalog, orders, payments, stock
from store.aggregates import Stored
from store.tx import Tx


class NewCartLine(Input):
    """How many of what; `variant` is an id or a SKU."""

    variant: Word
    qty: Qty


class NewCart(Input):
    """A cart to be opened; with `customer` the person is the one we know."""

    currency: Currency
    email: Email | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    locale: Word | None = None
    customer: Word | None = None
    lines: tuple[NewCartLine, ...] = Field(default=(), max_length=500)
    metadata: Metadata = Field(default_factory=dict)


class Completion(Input):
    """What the customer agreed to pay, and how."""

    expected_total: Price
    payment: PaymentWish | None = None


class CompleteCart(Completion):
    """A cart to be completed."""

    cart: Word


def create_cart(tx: Tx, item: NewCart, rules: ShopRules) -> dict[str, Json]:
    """Open a cart.

    Raises:
        Refused: validation_error (an unknown variant), currency_mismatch (no price in it).
    """
    rules.check_currency(item.currency, "/currency")
    person = _person(tx, item)
    lines = _variants(tx, item)
    row = aggregates.add(
        tx,
        "cart",
        id=new_id("car", tx.now),
        state="open",
        currency=item.currency,
        customer_id=item.customer,
        expires_at=tx.now + rules.cart_kept,
        metadata=item.metadata,
        **person,
    )
    carts.add_lines(tx, row.id, lines)
    snapshot = cart_snapshot(tx, row)
    tell(tx, "shop.cart.created", snapshot, Cause())
    return {"cart": snapshot}


def complete_cart(tx: Tx, item: CompleteCart, rules: ShopRules) -> dict[str, Json]:
    """Make a cart's order, take its stock and ask for its money; again gives the same order.

    `created` says whether this call made it. An order over nothing is placed at once.

    Raises:
        Refused: not_found, invalid_transition, cart_changed {current_total}, out_of_stock {items},
            currency_mismatch, validation_error.
    """
    cart = aggregates.lock(tx, "cart", item.cart)
    if cart is None:
        raise Refused("not_found", f"no cart {item.cart}")
    if cart.order_id is not None:
        return _completed(tx, cart)
    if item.payment is not None:
        check_wish(item.payment, rules)
    lines = _sellable(tx, cart, item)
    cause = Cause()
    order = _order(tx, cart, lines, rules, cause)
    aggregates.change(tx, "cart", cart.id, state="completed", order_id=order.id)
    tell(tx, "shop.order.created", order_snapshot(tx, order), cause)
    paid = None
    if item.payment is not None and order.total > 0:
        paid = ask_payment(tx, order, item.payment, rules, cause)
    order = reckon(tx, order.id, cause)
    return {
        "order": order_view(tx, order),
        "payment": payment_snapshot(paid) if paid is not None else None,
        "created": True,
    }


def _completed(tx: Tx, cart: Stored) -> dict[str, Json]:
    order = orders.find(tx, cart.order_id)
    asked = [row for row in payments.of_order(tx, cart.order_id) if row.source == "hub"]
    return {
        "order": order_view(tx, order) if order is not None else None,
        "payment": payment_snapshot(asked[-1]) if asked else None,
        "created": False,
    }


def _person(tx: Tx, item: NewCart) -> dict[str, Any]:
    told = {name: getattr(item, name) for name in PERSON}
    if item.customer is None:
        return told
    known = aggregates.get(tx, "customer", item.customer)
    if known is None:
        raise invalid("/customer", f"no customer {item.customer}")
    if item.email not in {None, known.email}:
        raise invalid("/email", "is not this customer's")
    return {name: value or getattr(known, name) for name, value in told.items()}


def _variants(tx: Tx, item: NewCart) -> list[tuple[str, int]]:
    words = {line.variant for line in item.lines}
    known = catalog.find_variants(tx, words, item.currency)
    for position, line in enumerate(item.lines):
        pointer = f"/lines/{position}/variant"
        found = known.get(line.variant)
        if found is None or found.status != "active":
            raise invalid(pointer, f"no variant {line.variant!r}", "unknown_variant")
        if found.amount is None:
            raise mismatch(pointer, f"{found.sku} has no price in {item.currency}")
    return [(known[line.variant].id, line.qty) for line in item.lines]


def _sellable(tx: Tx, cart: Stored, item: CompleteCart) -> list[Stored]:
    """Read the lines as they are sold now, or say what stands against it."""
    if cart.state != "open":
        what = {"from": cart.state, "to": "completed", "allowed": []}
        raise Refused("invalid_transition", f"the cart is {cart.state}", **what)
    if cart.email is None:
        raise invalid("/cart", "the cart has no e-mail address", "email_missing")
    lines = carts.lines_of(tx, cart.id)
    if not lines:
        raise invalid("/cart", "the cart is empty", "empty")
    for line in lines:
        if line.status != "active":
            raise invalid("/cart", f"{line.sku} is not sold any more", "unknown_variant")
        if line.unit_price is None:
            raise mismatch("/cart", f"{line.sku} has no price in {cart.currency}")
    total = cart_totals(lines, cart.currency)["total"]
    if item.expected_total.model_dump() != total:
        raise Refused("cart_changed", "the total is another", current_total=total)
    return lines


def _order(tx: Tx, cart: Stored, sold: list[Stored], rules: ShopRules, cause: Cause) -> Stored:
    person = {name: getattr(cart, name) for name in PERSON}
    customer = customer_for(tx, cause, **person)
    head = {
        "currency": cart.currency,
        "origin": cause.origin,
        "test": int(rules.test),
        "customer_id": customer.id,
        "guest": int(cart.customer_id is None),
        "shipping": 0,
        "expires_at": tx.now + rules.hold,
        "metadata": cart.metadata,
        **person,
    }
    lines = [_line(line) for line in sold]
    order = write_order(tx, head, lines)
    if order is None:
        raise LookupError("an order without external_ref cannot be taken")
    for line in sold:
        carts.fix_price(tx, cart.id, line.position, line.unit_price)
    counted = {line.variant_id for line in sold if line.track_inventory}
    _take(tx, order, [line for line in lines if line["variant_id"] in counted])
    return order


def _line(line: Stored) -> dict[str, Any]:
    return {
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
        "unit_price": line.unit_price,
        "discount": 0,
        "tax": 0,
        "total": line.qty * line.unit_price,
        "gift": 0,
    }


def _take(tx: Tx, order: Stored, lines: list[dict[str, Any]]) -> None:
    """Take stock for every line or for none, always in the same order of variants."""
    short = [
        line
        for line in sorted(lines, key=lambda line: (line["variant_id"], line["position"]))
        if stock.reserve(tx, line, expires_at=order.expires_at) is None
    ]
    if short:
        items = [
            {
                "variant": line["variant_id"],
                "sku": line["sku"],
                "requested": line["qty"],
                "available": stock.available(tx, line["variant_id"]),
            }
            for line in short
        ]
        skus = ", ".join(line["sku"] for line in short)
        raise Refused("out_of_stock", f"too few of {skus}", items=items)
