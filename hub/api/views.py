"""What the API answers beside the snapshots that events carry: for the shop's own people only."""

from typing import Any

from pydantic import MISSING

from hub.model import Origin
from hub.payments import Sum
from hub.shop.money_shapes import Case, Payment, RefundSnapshot
from hub.shop.order_shapes import Order, OrderPayment
from hub.shop.shape import Snapshot


class PaymentView(Payment):
    """A payment, with what the shop's page needs to pay it while it is to be paid."""

    client_secret: str | MISSING = MISSING
    redirect_url: str | MISSING = MISSING


class OrderedPayment(Payment):
    """A payment of an order and its refunds."""

    refunds: list[RefundSnapshot]


class OrderView(Order):
    """An order; what `expand` names stands beside it."""

    authorized: Sum
    charged_back: Sum
    hold_reasons: list[str]
    origin: Origin
    expires_at: str | MISSING = MISSING
    authorized_at: str | MISSING = MISSING
    updated_at: str
    held_because: str | MISSING = MISSING
    shipping_code: str | MISSING = MISSING
    cancel_reason: str | MISSING = MISSING
    cancelled_at: str | MISSING = MISSING
    closed_at: str | MISSING = MISSING
    payments: list[OrderPayment] | list[OrderedPayment]  # type: ignore[assignment]  # a wider list
    cases: list[Case] | MISSING = MISSING
    events: list[dict[str, Any]] | MISSING = MISSING
    jobs: list[dict[str, Any]] | MISSING = MISSING
    sync: list[dict[str, Any]] | MISSING = MISSING


class Completed(Snapshot):
    """A completed cart's order, and its payment where one was asked for."""

    order: OrderView | Order
    payment: PaymentView | MISSING = MISSING


class AskedPayment(Snapshot):
    """A payment that was asked for, with what the shop's page needs to pay it."""

    payment: PaymentView


class CaseView(Case):
    """A case; while it is open, with what a person may do about it."""

    resolutions: list[str] | MISSING = MISSING
