"""/v1/orders/{id}/…: what people do to an order: change, hold, release, cancel, ask its money."""

from functools import partial

from pydantic import BaseModel

from hub.api import once
from hub.api.carts import is_told
from hub.api.endpoint import (
    REFUNDERS,
    SHOP,
    Answer,
    Ask,
    Endpoints,
    changed,
    made_now,
)
from hub.api.views import AskedPayment, OrderView
from hub.errors import Refused
from hub.shop import lifecycle
from hub.shop.capturing import NewPayment, RequestPayment, request_payment
from hub.shop.editing import (
    EditLines,
    LinesEdit,
    Note,
    OrderChange,
    add_note,
    change_order,
    edit_lines,
)
from hub.shop.inputs import Nothing
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.payments import handoff_of, payment_row
from store.tx import Tx

WAIT = 8.0
STEP = ("invalid_transition",)
order_steps = Endpoints()


def _fields(item: BaseModel) -> dict[str, object]:
    return {name: getattr(item, name) for name in type(item).model_fields}


@order_steps.patch(
    "/orders/{id}", may=SHOP, takes=OrderChange, gives={200: OrderView}, refuses=STEP
)  # fmt: skip
async def patch_order(ask: Ask) -> Answer:
    """Change an order's metadata, or its addresses until goods have left."""

    def work(tx: Tx) -> Answer:
        return changed(change_order(tx, ask.part("id"), ask.item, ask.match)["order"])

    return await once.change(ask, work)


@order_steps.put(
    "/orders/{id}/lines",
    may=SHOP,
    takes=LinesEdit,
    gives={200: OrderView},
    refuses=(*STEP, "out_of_stock", "qty_exceeds_open"),
)
async def put_order_lines(ask: Ask) -> Answer:
    """Change quantities; stock and totals follow, and what was paid too much goes back."""

    def work(tx: Tx) -> Answer:
        item = EditLines.model_validate({"order": ask.part("id"), **_fields(ask.item)})
        return changed(edit_lines(tx, item, ask.api.rules, ask.match)["order"])

    return await once.change(ask, work)


@order_steps.post("/orders/{id}/notes", may=REFUNDERS, takes=Note, gives={201: "Note"})
async def post_note(ask: Ask) -> Answer:
    """Write a note beside an order."""

    def work(tx: Tx) -> Answer:
        made = add_note(tx, ask.part("id"), ask.item, ask.who.id)
        return Answer(body=made, status=201, subject=ask.part("id"))

    return await once.change(ask, work)


@order_steps.post(
    "/orders/{id}/cancel",
    may=REFUNDERS,
    takes=lifecycle.CancelWish,
    gives={200: OrderView},
    key="required",
    matches=True,
    refuses=(*STEP, "not_cancellable"),
)
async def cancel_order(ask: Ask) -> Answer:
    """Cancel an order: its stock is free again, its money goes back."""

    def work(tx: Tx) -> Answer:
        item = lifecycle.CancelOrder(order=ask.part("id"), **ask.item.model_dump())
        return changed(lifecycle.cancel_order(tx, item, ask.api.rules, ask.match)["order"])

    return await once.change(ask, work)


@order_steps.post(
    "/orders/{id}/hold",
    may=REFUNDERS,
    takes=lifecycle.HoldWish,
    gives={200: OrderView},
    matches=True,
    refuses=STEP,
)
async def hold_order(ask: Ask) -> Answer:
    """Hold an order: nothing of it is shipped, and it does not expire."""

    def work(tx: Tx) -> Answer:
        item = lifecycle.HoldOrder(order=ask.part("id"), reason=ask.item.reason)
        return changed(lifecycle.hold_order(tx, item, ask.match)["order"])

    return await once.change(ask, work)


@order_steps.post(
    "/orders/{id}/release",
    may=REFUNDERS,
    takes=Nothing,
    gives={200: OrderView},
    matches=True,
    refuses=STEP,
)
async def release_order(ask: Ask) -> Answer:
    """End the hold that staff laid on an order; open cases go on holding it."""

    def work(tx: Tx) -> Answer:
        item = lifecycle.ReleaseOrder(order=ask.part("id"))
        return changed(lifecycle.release_order(tx, item, ask.match)["order"])

    return await once.change(ask, work)


@order_steps.post(
    "/orders/{id}/payments",
    may=SHOP,
    takes=NewPayment,
    gives={202: AskedPayment},
    key="required",
    refuses=(*STEP, "payment_failed", "currency_mismatch", "out_of_stock"),
)
async def ask_order_payment(ask: Ask) -> Answer:
    """Ask for an order's money once more, and wait up to 8 seconds for the provider."""

    def work(tx: Tx) -> Answer:
        item = RequestPayment.model_validate({"order": ask.part("id"), **_fields(ask.item)})
        made = request_payment(tx, item, ask.api.rules)["payment"]
        return made_now("payments", made, body={"payment": made}, status=202)

    return await once.change(ask, work, then=partial(_pay, ask))


async def _pay(ask: Ask, first: Answer) -> Answer:
    """Wait until the provider has answered.

    Raises:
        Refused: payment_failed; the order can be paid in another way.
    """
    payment, store = first.body["payment"]["id"], ask.api.store
    await ask.api.wait_for(lambda: store.look(lambda tx: is_told(tx, payment)), WAIT)
    last = await store.look(lambda tx: _read(tx, payment))
    if last.body["payment"]["state"] == "failed":
        detail = last.body["payment"].get("error", "the provider refused")
        raise Refused("payment_failed", detail, payment=payment)
    return last


def _read(tx: Tx, payment: str) -> Answer:
    row = payment_row(tx, payment)
    if row is None:
        raise LookupError(f"{payment} is gone")
    made, handoff = payment_snapshot(row), handoff_of(tx, row)
    return made_now("payments", made, body={"payment": made}, status=202, handoff=handoff)
