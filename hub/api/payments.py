"""/v1/payments and /v1/refunds: what became of them, and giving money back."""

from dataclasses import replace
from functools import partial

from hub.api import once
from hub.api.endpoint import EVERYONE, REFUNDERS, SHOP, Answer, Ask, Endpoints, made_now
from hub.api.views import PaymentView
from hub.errors import Refused
from hub.shop.capturing import (
    CaptureWish,
    VoidWish,
    ask_now,
    capture_payment,
    void_payment,
)
from hub.shop.inputs import Nothing
from hub.shop.ledger import UNPAID
from hub.shop.money_shapes import RefundSnapshot
from hub.shop.money_snapshots import payment_snapshot, refund_snapshot
from hub.shop.payments import handoff_of, payment_row
from hub.shop.refunds import RefundWish, RequestRefund, request_refund
from store import aggregates
from store.jobs import settled
from store.tx import Tx

WAIT = 8.0
payments = Endpoints()


@payments.get("/payments/{id}", may=EVERYONE, gives={200: PaymentView}, conditional=True)
async def get_payment(ask: Ask) -> Answer:
    """Give a payment; the shop also gets what its page needs to pay, while it is to be paid."""

    def work(tx: Tx) -> Answer:
        told = _payment(tx, ask.part("id"))
        row = payment_row(tx, ask.part("id"))
        if ask.who.role in SHOP and row is not None and row.state in UNPAID:
            return replace(told, body=told.body | (handoff_of(tx, row) or {}))
        return told

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


@payments.post(
    "/payments/{id}/capture",
    may=SHOP,
    takes=CaptureWish,
    gives={202: PaymentView},
    key="required",
    refuses=("amount_exceeds_authorized", "currency_mismatch", "provider_unavailable"),
)
async def capture(ask: Ask) -> Answer:
    """Ask the provider to take authorized money, all or part of it; a job does it."""

    def work(tx: Tx) -> Answer:
        made = capture_payment(tx, ask.part("id"), ask.item, ask.api.rules)["payment"]
        return made_now("payments", made, status=202)

    return await once.change(ask, work)


@payments.post(
    "/payments/{id}/void",
    may=SHOP,
    takes=VoidWish,
    gives={202: PaymentView},
    key="required",
    refuses=("invalid_transition", "provider_unavailable"),
)
async def void(ask: Ask) -> Answer:
    """Ask the provider to give up a payment that has taken nothing; a job does it."""

    def work(tx: Tx) -> Answer:
        made = void_payment(tx, ask.part("id"), ask.item, ask.api.rules)["payment"]
        return made_now("payments", made, status=202)

    return await once.change(ask, work)


@payments.post(
    "/payments/{id}/sync",
    may=REFUNDERS,
    takes=Nothing,
    gives={200: PaymentView},
    refuses=("provider_unavailable",),
)
async def sync(ask: Ask) -> Answer:
    """Ask the provider how a payment stands, and wait up to 8 seconds for the answer."""

    def work(tx: Tx) -> Answer:
        job, lane = ask_now(tx, ask.part("id"), ask.api.rules)
        return Answer(body={"job": job, "lane": lane}, subject=ask.part("id"))

    return await once.change(ask, work, then=partial(_synced, ask))


async def _synced(ask: Ask, first: Answer) -> Answer:
    """Wait until the question and what follows from it are settled.

    Raises:
        Refused: provider_unavailable; the question stays, and its answer will be taken.
    """
    job, lane, store = first.body["job"], first.body["lane"], ask.api.store
    answered = await ask.api.wait_for(lambda: store.look(lambda tx: settled(tx, job, lane)), WAIT)
    if not answered:
        raise Refused("provider_unavailable", "the provider has not answered yet", job=job)
    return await store.look(lambda tx: _payment(tx, ask.part("id")))


def _payment(tx: Tx, ident: str) -> Answer:
    row = payment_row(tx, ident)
    if row is None:
        raise Refused("not_found", "there is no such payment")
    return Answer(body=payment_snapshot(row), version=row.version, subject=row.id)


@payments.get("/refunds/{id}", may=EVERYONE, gives={200: RefundSnapshot}, conditional=True)
async def get_refund(ask: Ask) -> Answer:
    """Give a refund."""

    def work(tx: Tx) -> Answer:
        row = aggregates.get(tx, "refund", ask.part("id"))
        if row is None:
            raise Refused("not_found", "there is no such refund")
        return Answer(body=refund_snapshot(row), version=row.version)

    return await ask.api.store.look(work)
