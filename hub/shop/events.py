"""The shop's events: their names, their schemas, and how one is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.model import Aggregate, Event, Json, Origin
from hub.shop.catalog_shapes import Cart, Customer, Product, Variant
from hub.shop.money_shapes import Case, Dispute, Payment, RefundSnapshot
from hub.shop.order_shapes import Fulfilment, Order
from hub.shop.shape import Snapshot
from store import aggregates
from store.tx import Tx

SCHEMAS: Mapping[str, type[Snapshot]] = {
    "shop.order@1": Order,
    "shop.payment@1": Payment,
    "shop.refund@1": RefundSnapshot,
    "shop.customer@1": Customer,
    "shop.cart@1": Cart,
    "shop.product@1": Product,
    "shop.case@1": Case,
    "shop.variant@1": Variant,
    "shop.fulfilment@1": Fulfilment,
    "shop.dispute@1": Dispute,
}
"""Schema name → what an event of it carries under the schema's last word."""

_WORDS = {
    "order": (
        "created", "placed", "payment_status_changed", "authorized", "paid", "refunded",
        "payment_failed", "held", "released", "drafted", "expired", "cancelled", "edited", "closed",
    ),
    "payment": (
        "created", "requires_action", "authorized", "captured", "cancelled", "lapsed", "failed",
        "unmatched",
    ),
    "refund": ("requested", "succeeded", "failed"),
    "dispute": ("opened", "updated", "won", "lost"),
    "fulfilment": (
        "created", "packed", "shipped", "delivered", "cancelled", "returned", "tracking_updated",
    ),
    "customer": ("created", "updated", "consent_changed", "anonymised"),
    "cart": ("created", "updated", "abandoned"),
    "product": ("created", "updated", "archived"),
    "variant": ("price_changed", "out_of_stock", "back_in_stock"),
    "case": ("opened", "resolved"),
}  # fmt: skip
SHOP_EVENTS: Mapping[str, str] = {
    **{f"shop.{kind}.{word}": f"shop.{kind}@1" for kind, words in _WORDS.items() for word in words},
    "shop.stock.adjusted": "shop.variant@1",
    "shop.stock.oversold": "shop.variant@1",
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
