"""The shop's events and sources: names and schemas, as a configuration may say them."""

from collections.abc import Mapping

from hub.config.vocabulary import Vocabulary
from hub.shop.catalog_shapes import Cart, Customer, Product, Variant
from hub.shop.money_shapes import Case, Dispute, Payment, RefundSnapshot
from hub.shop.order_shapes import Fulfilment, Order
from hub.shop.shape import Snapshot

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

SOURCES: Mapping[str, str] = {"customers": "shop.customer@1", "orders": "shop.order@1"}
"""What a sync may read → the name of its schema."""

VOCABULARY = Vocabulary(events=SHOP_EVENTS, models=SCHEMAS, sources=SOURCES)
