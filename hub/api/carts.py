"""/v1/carts: opened, read, and completed into an order with its payment."""

from functools import partial
from typing import Any

from pydantic import BaseModel

from hub.api import once
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, changed, made_now
from hub.api.views import Completed
from hub.errors import Refused
from hub.shop.cart_snapshots import cart_snapshot
from hub.shop.carts import (
    CartAddresses,
    CartCodes,
    CartLines,
    CartShipping,
    NewCart,
    create_cart,
    set_addresses,
    set_codes,
    set_lines,
    set_shipping,
)
from hub.shop.catalog_shapes import Cart
from hub.shop.checkout import CompleteCart, Completion, complete_cart
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.payments import handoff_of, payment_row
from hub.shop.snapshots import order_view
from store import aggregates
from store.tx import Tx

WAIT = 8.0
carts = Endpoints()


@carts.post(
    "/carts",
    may=SHOP,
    takes=NewCart,
    gives={201: Cart},
    refuses=("currency_mismatch",),
)
async def open_cart(ask: Ask) -> Answer:
    """Open a cart."""

    def work(tx: Tx) -> Answer:
        made = create_cart(tx, ask.item, ask.api.rules)["cart"]
        return made_now("carts", made)

    return await once.change(ask, work)


@carts.get("/carts/{id}", may=EVERYONE, gives={200: Cart})
async def get_cart(ask: Ask) -> Answer:
    """Give a cart, an open one at today's prices."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "cart", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such cart")
        return Answer(body=cart_snapshot(tx, row, ask.api.rules), version=row.version)

    return await ask.api.store.look(work)


def _part(name: str, takes: type[BaseModel], do: Any, summary: str, *refuses: str) -> None:
    """Declare the replacement of one part of a cart."""

    async def put(ask: Ask) -> Answer:
        def work(tx: Tx) -> Answer:
            return changed(do(tx, ask.part("id"), ask.item, ask.api.rules, ask.match)["cart"])

        return await once.change(ask, work)

    put.__name__, put.__doc__ = f"put_cart_{name}", summary
    all_of = ("cart_completed", "invalid_transition", *refuses)
    carts.put(f"/carts/{{id}}/{name}", may=SHOP, takes=takes, gives={200: Cart}, refuses=all_of)(
        put
    )


_part("lines", CartLines, set_lines, "Put these lines in place of all.", "currency_mismatch")
_part("addresses", CartAddresses, set_addresses, "Say where a cart goes, and who pays.")
_part("codes", CartCodes, set_codes, "Put these codes in place of all.", "code_invalid")
_part("shipping", CartShipping, set_shipping, "Choose how a cart is shipped.")


@carts.post(
    "/carts/{id}/complete",
    may=SHOP,
    takes=Completion,
    gives={201: Completed, 200: Completed},
    key="required",
    refuses=(
        "payment_failed", "cart_changed", "out_of_stock", "invalid_transition",
        "currency_mismatch", "code_invalid",
    ),
)  # fmt: skip
async def complete(ask: Ask) -> Answer:
    """Make a cart's order, take its stock, and wait up to 8 seconds for its payment."""

    def work(tx: Tx) -> Answer:
        item = CompleteCart(cart=ask.part("id"), **dict(ask.item))
        made = complete_cart(tx, item, ask.api.rules)
        body = {name: made[name] for name in ("order", "payment") if made[name] is not None}
        return made_now("orders", made["order"], body=body, status=201 if made["created"] else 200)

    return await once.change(ask, work, then=partial(_pay, ask))


async def _pay(ask: Ask, first: Answer) -> Answer:
    """Wait until the provider has answered, then tell the order and the payment as they are.

    Raises:
        Refused: payment_failed; the order exists and can be paid in another way.
    """
    if "payment" not in first.body:
        return first
    order, payment = first.body["order"]["id"], first.body["payment"]["id"]
    store = ask.api.store
    await ask.api.wait_for(lambda: store.look(lambda tx: is_told(tx, payment)), WAIT)
    last = await store.look(lambda tx: _read(tx, order, payment, first.status))
    told = last.body["payment"]
    if told["state"] == "failed" and first.status == 201:
        detail = told.get("error", "the provider refused")
        raise Refused("payment_failed", detail, order=order, payment=payment)
    return last


def is_told(tx: Tx, payment: str) -> bool:
    """Say whether the provider has answered for a payment we asked for."""
    row = payment_row(tx, payment)
    return row is None or row.state != "created" or row.handoff is not None


def _read(tx: Tx, order: str, payment: str, status: int) -> Answer:
    sold, paid = aggregates.get(tx, "order", order), payment_row(tx, payment)
    if sold is None or paid is None:
        raise LookupError(f"{order} or {payment} is gone")
    shown = order_view(tx, sold)
    body = {"order": shown, "payment": payment_snapshot(paid)}
    handoff = handoff_of(tx, paid)
    return made_now("orders", shown, body=body, status=status, handoff=handoff)
