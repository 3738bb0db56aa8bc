"""What events tell of an order: shop.order@1."""

from typing import Any, Literal

from pydantic import MISSING

from hub.payments import Sum
from hub.shop.ledger import PaymentStatus
from hub.shop.shape import Snapshot

Lifecycle = Literal[
    "draft", "pending_payment", "placed", "on_hold", "expired", "cancelled", "closed",
]  # fmt: skip
OrderStatus = Literal[
    "cancelled", "expired", "draft", "refunded", "on_hold", "closed", "fulfilled", "paid",
    "pending_payment",
]  # fmt: skip
FulfilmentStatus = Literal[
    "unfulfilled", "partially_fulfilled", "fulfilled", "partially_returned", "returned",
]  # fmt: skip


class CustomerCopy(Snapshot):
    """The customer as the order knows them."""

    id: str
    guest: bool
    email: str
    first_name: str | MISSING = MISSING
    last_name: str | MISSING = MISSING
    phone: str | MISSING = MISSING
    locale: str | MISSING = MISSING


class AddressCopy(Snapshot):
    """An address as the order knows it."""

    name: str | MISSING = MISSING
    company: str | MISSING = MISSING
    street: str | MISSING = MISSING
    street2: str | MISSING = MISSING
    zip: str | MISSING = MISSING
    city: str | MISSING = MISSING
    region: str | MISSING = MISSING
    country: str | MISSING = MISSING
    phone: str | MISSING = MISSING


class OrderLine(Snapshot):
    """One line of an order; `variant_id` is absent for goods our catalogue does not have."""

    id: str
    variant_id: str | MISSING = MISSING
    sku: str
    title: str
    qty: int
    unit_price: Sum
    discount: Sum
    tax: Sum
    total: Sum
    gift: bool
    qty_fulfilled: int | MISSING = MISSING
    qty_returned: int | MISSING = MISSING


class FulfilmentLine(Snapshot):
    """How many of an order line one fulfilment sends."""

    line: str
    sku: str
    title: str
    qty: int
    qty_returned: int


class Fulfilment(Snapshot):
    """shop.fulfilment@1; whom it goes to is said here, since mails hang on it."""

    id: str
    version: int
    order_id: str
    order_number: str
    state: Literal["pending", "packed", "shipped", "delivered", "cancelled", "returned"]
    carrier: str | MISSING = MISSING
    tracking: str | MISSING = MISSING
    customer: CustomerCopy
    shipping_address: AddressCopy | MISSING = MISSING
    lines: list[FulfilmentLine]
    metadata: dict[str, Any]
    created_at: str
    packed_at: str | MISSING = MISSING
    shipped_at: str | MISSING = MISSING
    delivered_at: str | MISSING = MISSING
    cancelled_at: str | MISSING = MISSING
    returned_at: str | MISSING = MISSING


class OrderPayment(Snapshot):
    """One payment of an order: what was taken, or else asked for."""

    connector: str
    provider_ref: str
    amount: Sum


class Coupon(Snapshot):
    """The code an order was made with."""

    code: str


class Order(Snapshot):
    """shop.order@1."""

    id: str
    number: str
    version: int
    status: OrderStatus
    lifecycle: Lifecycle
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    test: bool
    created_at: str
    placed_at: str | MISSING = MISSING
    paid_at: str | MISSING = MISSING
    currency: str
    total: Sum
    items_total: Sum
    discount: Sum
    shipping: Sum
    tax: Sum
    captured: Sum
    refunded: Sum
    coupon: Coupon | MISSING = MISSING
    customer: CustomerCopy
    billing_address: AddressCopy | MISSING = MISSING
    shipping_address: AddressCopy | MISSING = MISSING
    lines: list[OrderLine]
    payments: list[OrderPayment]
    external_ref: str | MISSING = MISSING
    metadata: dict[str, Any]
