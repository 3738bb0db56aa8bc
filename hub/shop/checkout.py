"""Checkout: a cart becomes an order at once, with its stock, its promotions and its payment."""

from typing import Any

from hub.errors import Refused
from hub.model import Json
from hub.shop import promotions
from hub.shop.asking import PaymentWish, ask_payment, check_wish
from hub.shop.cart_prices import Reckoned, reckon_cart
from hub.shop.customers import customer_for
from hub.shop.events import Cause, tell
from hub.shop.inputs import Input, Price, Word
from hub.shop.lifecycle import place
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.orders import write_order
from hub.shop.pricing import Item
from hub.shop.reckoning import reckon
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.snapshot import PERSON, money
from hub.shop.snapshots import order_snapshot, order_view
from hub.shop.stocking import take
from store import aggregates, carts, orders, payments
from store.aggregates import Stored
from store.tx import Tx


class Completion(Input):
    """What the customer agreed to pay, and how."""

    expected_total: Price
    payment: PaymentWish | None = None


class CompleteCart(Completion):
    """A cart to be completed."""

    cart: Word


def complete_cart(tx: Tx, item: CompleteCart, rules: ShopRules) -> dict[str, Json]:
    """Make a cart's order, take its stock and ask for its money; again gives the same order.

    `created` says whether this call made it. An order over nothing is placed at once.

    Raises:
        Refused: not_found, invalid_transition, cart_changed {current_total}, out_of_stock {items},
            code_invalid, currency_mismatch, validation_error.
    """
    cart = aggregates.lock(tx, "cart", item.cart)
    if cart is None:
        raise Refused("not_found", f"no cart {item.cart}")
    if cart.order_id is not None:
        return _completed(tx, cart)
    if item.payment is not None:
        check_wish(item.payment, rules)
    reckoned = _sellable(tx, cart, item, rules)
    cause = Cause()
    order = _order(tx, cart, reckoned, rules, cause)
    aggregates.change(tx, "cart", cart.id, state="completed", order_id=order.id)
    tell(tx, "shop.order.created", order_snapshot(tx, order), cause)
    paid = None
    if item.payment is not None and order.total > 0:
        paid = ask_payment(tx, order, item.payment, rules, cause)
    order = reckon(tx, order.id, cause)
    if rules.allow_unpaid and order.lifecycle == "pending_payment":
        order = place(tx, order, cause)
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


def _sellable(tx: Tx, cart: Stored, item: CompleteCart, rules: ShopRules) -> Reckoned:
    """Work the cart out as it is sold now, or say what stands against it."""
    if cart.state not in {"open", "abandoned"}:
        what = {"from": cart.state, "to": "completed", "allowed": ["open", "abandoned"]}
        raise Refused("invalid_transition", f"the cart is {cart.state}", **what)
    if cart.email is None:
        raise invalid("/cart", "the cart has no e-mail address", "email_missing")
    reckoned = reckon_cart(tx, cart, rules)
    if not reckoned.lines:
        raise invalid("/cart", "the cart is empty", "empty")
    for line in reckoned.lines:
        if line.status != "active":
            raise invalid("/cart", f"{line.sku} is not sold any more", "unknown_variant")
        if line.unit_price is None:
            raise mismatch("/cart", f"{line.sku} has no price in {cart.currency}")
    total = money(reckoned.priced.total, cart.currency)
    if item.expected_total.model_dump() != total:
        raise Refused("cart_changed", "the total is another", current_total=total)
    return reckoned


def _order(tx: Tx, cart: Stored, sold: Reckoned, rules: ShopRules, cause: Cause) -> Stored:
    person = {name: getattr(cart, name) for name in PERSON}
    customer = customer_for(tx, cause, **person)
    priced = sold.priced
    head = {
        "currency": cart.currency,
        "origin": cause.origin,
        "test": int(rules.test),
        "customer_id": customer.id,
        "guest": int(cart.customer_id is None),
        "billing_address": cart.billing_address,
        "shipping_address": cart.shipping_address,
        "shipping": priced.shipping_price,
        "shipping_tax": priced.shipping_tax,
        "shipping_code": cart.shipping_code,
        "prices_include_tax": int(priced.included),
        "coupon": next(iter(priced.taken), None),
        "expires_at": tx.now + rules.hold,
        "metadata": cart.metadata,
        **person,
    }
    lines = [
        _line(line, item, included=priced.included)
        for line, item in zip(sold.lines, priced.lines, strict=True)
    ]
    order = write_order(tx, head, lines)
    if order is None:
        raise LookupError("an order without external_ref cannot be taken")
    for line in sold.lines:
        carts.fix_price(tx, cart.id, line.position, line.unit_price)
    _beside(tx, order, lines, sold)
    for row in sorted(sold.uses, key=lambda row: row.id):
        promotions.use(tx, row, order=order.id, customer=customer.id)
    counted = {line.variant_id for line in sold.lines if line.track_inventory}
    wanted = [line for line in lines if line["variant_id"] in counted]
    take(tx, wanted, cause, until=order.expires_at)
    return order


def _line(line: Stored, item: Item, *, included: bool) -> dict[str, Any]:
    return {
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
        "unit_price": line.unit_price,
        "discount": item.discount,
        "tax": item.tax,
        "tax_class": line.tax_class,
        "tax_rate": item.rate,
        "total": item.base + (0 if included else item.tax),
        "gift": 0,
    }


def _beside(tx: Tx, order: Stored, lines: list[dict[str, Any]], sold: Reckoned) -> None:
    """Write how each thing is taxed, and what was taken off or put on."""
    things: list[tuple[str | None, Item]] = [
        (line["id"], item) for line, item in zip(lines, sold.priced.lines, strict=True)
    ]
    if sold.priced.shipping is not None:
        things.append((None, sold.priced.shipping))
    orders.write_taxes(
        tx,
        order.id,
        [
            {
                "line_id": ident,
                "tax_class": item.tax_class,
                "treatment": item.treatment,
                "rate": item.rate,
                "base": item.base,
                "amount": item.tax,
            }
            for ident, item in things
        ],
    )
    taken = [
        {"line_id": None, "kind": "discount", "code": code, "amount": -amount}
        for code, amount in sold.priced.taken.items()
        if amount
    ]
    if order.shipping:
        sent = {"line_id": None, "kind": "shipping", "code": order.shipping_code}
        taken.append({**sent, "amount": order.shipping})
    if taken:
        orders.write_adjustments(tx, order.id, taken)
