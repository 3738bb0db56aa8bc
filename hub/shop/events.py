"""The shop's events: their names, their schemas, and how one is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import MISSING, BaseModel, ConfigDict, Field

from hub.model import Aggregate, Event, Json, Origin
from hub.payments import Sum
from hub.shop.ledger import PaymentState, PaymentStatus, RefundState
from store import aggregates
from store.tx import Tx

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


class Snapshot(BaseModel):
    """Part of an event's data; what may be unknown is absent, never null."""

    model_config = ConfigDict(extra="forbid")


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


class Payment(Snapshot):
    """shop.payment@1; sums are absent while the currency is unknown."""

    id: str
    version: int
    order_id: str | MISSING = MISSING
    connector: str
    method: str | MISSING = MISSING
    provider_ref: str | MISSING = MISSING
    state: PaymentState
    counts: bool
    amount: Sum | MISSING = MISSING
    authorized: Sum | MISSING = MISSING
    captured: Sum | MISSING = MISSING
    refunded: Sum | MISSING = MISSING
    error: str | MISSING = MISSING
    created_at: str


class RefundSnapshot(Snapshot):
    """shop.refund@1; `source` is hub where we asked for it, provider where they began it."""

    id: str
    version: int
    payment_id: str
    order_id: str | MISSING = MISSING
    amount: Sum
    reason: str | MISSING = MISSING
    source: Literal["hub", "provider"]
    state: RefundState
    provider_ref: str | MISSING = MISSING
    error: str | MISSING = MISSING
    created_at: str


class Customer(Snapshot):
    """shop.customer@1."""

    id: str
    version: int
    email: str
    first_name: str | MISSING = MISSING
    last_name: str | MISSING = MISSING
    phone: str | MISSING = MISSING
    locale: str | MISSING = MISSING
    created_at: str


class CartLine(Snapshot):
    """One line of a cart, at the price it would be sold at now."""

    variant_id: str
    sku: str
    title: str
    qty: int
    unit_price: Sum | MISSING = MISSING
    total: Sum | MISSING = MISSING


class Totals(Snapshot):
    """What a cart comes to."""

    items: Sum
    discount: Sum
    shipping: Sum
    tax: Sum
    total: Sum


class Cart(Snapshot):
    """shop.cart@1."""

    id: str
    version: int
    state: Literal["open", "abandoned", "completed", "expired"]
    currency: str
    email: str | MISSING = MISSING
    first_name: str | MISSING = MISSING
    last_name: str | MISSING = MISSING
    customer_id: str | MISSING = MISSING
    order_id: str | MISSING = MISSING
    lines: list[CartLine]
    totals: Totals
    metadata: dict[str, Any]
    created_at: str
    expires_at: str


class Variant(Snapshot):
    """One thing that can be bought; stock is absent where it is not counted."""

    id: str
    sku: str
    title: str | MISSING = MISSING
    track_inventory: bool
    prices: list[Sum]
    on_hand: int | MISSING = MISSING
    available: int | MISSING = MISSING


class Product(Snapshot):
    """shop.product@1."""

    id: str
    version: int
    title: str
    status: Literal["draft", "active", "archived"]
    variants: list[Variant]
    external_ref: str | MISSING = MISSING
    metadata: dict[str, Any]
    created_at: str


class Case(Snapshot):
    """shop.case@1."""

    id: str
    version: int
    kind: str
    subject: str
    order_id: str | MISSING = MISSING
    state: Literal["open", "resolved"]
    evidence: dict[str, Any] = Field(default_factory=dict)
    resolution: str | MISSING = MISSING
    created_at: str


SCHEMAS: Mapping[str, type[Snapshot]] = {
    "shop.order@1": Order,
    "shop.payment@1": Payment,
    "shop.refund@1": RefundSnapshot,
    "shop.customer@1": Customer,
    "shop.cart@1": Cart,
    "shop.product@1": Product,
    "shop.case@1": Case,
}
"""Schema name → what an event of it carries under the schema's last word."""

_WORDS = {
    "order": (
        "created", "placed", "payment_status_changed", "authorized", "paid", "refunded",
        "payment_failed", "held", "released",
    ),
    "payment": (
        "created", "requires_action", "authorized", "captured", "cancelled", "lapsed", "failed",
        "unmatched",
    ),
    "refund": ("requested", "succeeded", "failed"),
    "customer": ("created",),
    "cart": ("created",),
    "product": ("created",),
    "case": ("opened", "resolved"),
}  # fmt: skip
SHOP_EVENTS: Mapping[str, str] = {
    f"shop.{kind}.{word}": f"shop.{kind}@1" for kind, words in _WORDS.items() for word in words
}
"""Every event the shop tells → the name of its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something changes: whether it is the present, when it was, which event brought it."""

    origin: Origin = "live"
    at: datetime | None = None
    event: str | None = None


def tell(
    tx: Tx, name: str, snapshot: Mapping[str, Json], cause: Cause, **more: Json
) -> None:  # fmt: skip
    """Emit an event with an aggregate's full snapshot after the change; `more` stands beside it."""
    schema = SHOP_EVENTS[name]
    kind = schema.partition("@")[0].rpartition(".")[2]
    about = Aggregate(type=kind, id=snapshot["id"], version=snapshot["version"])
    tx.emit(
        Event(
            type=name,
            at=cause.at or tx.now,
            data={kind: dict(snapshot), **more},
            origin=cause.origin,
            schema=schema,
            aggregate=about,
            sequence=aggregates.next_sequence(tx, kind, about.id),
            causation=cause.event,
        )
    )
