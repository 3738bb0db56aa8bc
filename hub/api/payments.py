"""/v1/payments and /v1/refunds: what became of them, and giving money back."""

from hub.api import once
from hub.api.endpoint import EVERYONE, REFUNDERS, SHOP, Answer, Ask, Endpoints, made_now
from hub.api.views import PaymentView
from hub.errors import Refused
from hub.shop.money_shapes import RefundSnapshot
from hub.shop.money_snapshots import payment_snapshot, refund_snapshot
from hub.shop.payments import handoff_of, payment_row
from hub.shop.refunds import RefundWish, RequestRefund, request_refund
from store import aggregates
from store.tx import Tx

UNPAID = ("created", "requires_action", "processing")
payments = Endpoints()


@payments.get("/payments/{id}", may=EVERYONE, gives={200: PaymentView}, conditional=True)
async def get_payment(ask: Ask) -> Answer:
    """Give a payment; the shop also gets what its page needs to pay, while it is to be paid."""

    def work(tx: Tx) -> Answer:
        row = payment_row(tx, ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such payment")
        body = payment_snapshot(row)
        if ask.who.role in SHOP and row.state in UNPAID:
            body |= handoff_of(tx, row) or {}
        return Answer(body=body, version=row.version)

    return await ask.api.store.look(work)


@payments.post(
    "/payments/{id}/refunds",
    may=REFUNDERS,
    takes=RefundWish,
    gives={202: RefundSnapshot},
    key="required",
    refuses=("amount_exceeds_captured", "currency_mismatch", "provider_unavailable"),
)
async def ask_refund(ask: Ask) -> Answer:
    """Ask the provider to give money back; a job does it."""

    def work(tx: Tx) -> Answer:
        item = RequestRefund(payment=ask.part("id"), **dict(ask.item))
        return made_now("refunds", request_refund(tx, item, ask.api.rules)["refund"], status=202)

    return await once.change(ask, work)


@payments.get("/refunds/{id}", may=EVERYONE, gives={200: RefundSnapshot}, conditional=True)
async def get_refund(ask: Ask) -> Answer:
    """Give a refund."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "refund", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such refund")
        return Answer(body=refund_snapshot(row), version=row.version)

    return await ask.api.store.look(work)
