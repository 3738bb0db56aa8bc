"""The tables of the shop, in the same metadata as the rest. Money is integer minor units.

E-mail, names and addresses stay clear, since they are searched; `handoff` is sealed. Rows of
`payment_facts` and `stock_movements` are only ever added.
"""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Dialect,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

from hub.model import Json, read_json, write_json
from store.schema import Int, at, data, number, table, word

DEFAULT_LOCATION = "default"


class JsonText(TypeDecorator[Json]):
    """A JSON value, stored as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Json, dialect: Dialect) -> str | None:
        """Write."""
        return None if value is None else write_json(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Json:
        """Read."""
        return None if value is None else read_json(value)


def json(name: str, *, null: bool = False) -> Column[Json]:
    """Declare a JSON column."""
    return Column(name, JsonText, nullable=null)


def _aggregate() -> list[Column[Any]]:
    """Give what every aggregate has: a version per change, a sequence per event."""
    return [
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        at("created_at"),
        at("updated_at"),
    ]


def _person(*, email: bool) -> list[Column[Any]]:
    """Give what a customer is called, for customers and the copies orders keep."""
    return [
        word("email", null=not email),
        word("first_name", null=True),
        word("last_name", null=True),
        word("phone", null=True),
        word("locale", null=True),
    ]


def _sums() -> list[Column[Any]]:
    """Give what the ledger comes to; kept for reading, `hub verify` adds it up again."""
    names = ("authorized", "captured", "refunded", "charged_back")
    return [number(name, server_default="0") for name in names]


customers = table(
    "customers",
    word("id", primary_key=True),
    *_person(email=True),
    *_aggregate(),
    UniqueConstraint("email"),
)

products = table(
    "products",
    word("id", primary_key=True),
    word("title"),
    word("status"),
    word("external_ref", null=True, unique=True),
    json("metadata"),
    *_aggregate(),
)

variants = table(
    "variants",
    word("id", primary_key=True),
    word("product_id"),
    number("position"),
    word("sku", unique=True),
    word("title", null=True),
    number("track_inventory"),
    Index("variants_product", "product_id", "position"),
)

prices = table(
    "prices",
    word("variant_id", primary_key=True),
    word("currency", primary_key=True),
    number("amount"),
)

stock = table(
    "stock",
    word("variant_id"),
    word("location_id"),
    number("on_hand"),
    number("reserved", server_default="0"),
    number("backorder_limit", server_default="0"),
    PrimaryKeyConstraint("variant_id", "location_id"),
    CheckConstraint(
        "reserved >= 0 AND reserved <= on_hand + backorder_limit", "stock_not_oversold"
    ),
)

stock_movements = table(
    "stock_movements",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("variant_id"),
    word("location_id"),
    number("delta_on_hand"),
    number("delta_reserved"),
    word("reason"),
    word("ref", null=True),
    at("at"),
    Index("movements_of_stock", "variant_id", "location_id"),
    counted=True,
)

carts = table(
    "carts",
    word("id", primary_key=True),
    word("state"),
    word("currency"),
    *_person(email=False),
    word("customer_id", null=True),
    word("order_id", null=True, unique=True),
    at("expires_at"),
    json("metadata"),
    *_aggregate(),
)

# An open cart has no prices of its own: they are the catalogue's until the cart is completed.
cart_lines = table(
    "cart_lines",
    word("cart_id"),
    number("position"),
    word("variant_id"),
    number("qty"),
    number("unit_price", null=True),
    PrimaryKeyConstraint("cart_id", "position"),
)

orders = table(
    "orders",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("id", unique=True),
    word("number", null=True),
    word("currency"),
    word("lifecycle"),
    word("payment_status"),
    json("hold_reasons"),
    word("origin"),
    number("test"),
    word("external_ref", null=True, unique=True),
    word("customer_id"),
    number("guest"),
    *_person(email=True),
    json("billing_address", null=True),
    json("shipping_address", null=True),
    *(number(name) for name in ("items", "discount", "shipping", "tax", "total")),
    *_sums(),
    at("expires_at", null=True),
    at("placed_at", null=True),
    at("authorized_at", null=True),
    at("paid_at", null=True),
    json("metadata"),
    *_aggregate(),
    Index("orders_email", "email", "n"),
    Index("orders_customer", "customer_id", "n"),
    counted=True,
)

order_lines = table(
    "order_lines",
    word("id", primary_key=True),
    word("order_id"),
    number("position"),
    word("variant_id", null=True),
    word("sku"),
    word("title"),
    number("gift", server_default="0"),
    *(number(name) for name in ("qty", "unit_price", "discount", "tax", "total")),
    UniqueConstraint("order_id", "position"),
)

reservations = table(
    "reservations",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("order_line_id"),
    word("order_id"),
    word("variant_id"),
    word("location_id"),
    number("qty"),
    word("state"),
    at("expires_at", null=True),
    Index("reservations_order", "order_id"),
    Index("reservations_stock", "variant_id", "location_id"),
    counted=True,
)

OPEN = "state IN ('created', 'requires_action', 'processing')"

# `source` says who made it known: hub (we asked for it), shop (it told us), provider (a fact did).
payments = table(
    "payments",
    word("id", primary_key=True),
    word("order_id", null=True),
    word("connector"),
    word("source"),
    word("method", null=True),
    word("provider_ref", null=True),
    number("amount", null=True),
    word("currency", null=True),
    word("capture", server_default="automatic"),
    number("counts", server_default="1"),
    word("state"),
    *_sums(),
    word("job", null=True, unique=True),
    word("error", null=True),
    word("claimed_order", null=True),
    word("merged_into", null=True),
    data("handoff", null=True),
    at("asked_at", null=True),  # when its provider was last asked what became of it
    *_aggregate(),
    UniqueConstraint("connector", "provider_ref"),
    Index("payments_order", "order_id"),
    Index("payments_unmatched", "created_at", sqlite_where=text("order_id IS NULL"),
          postgresql_where=text("order_id IS NULL")),
    Index("payments_open", "created_at", sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
)  # fmt: skip

# Every id by which a provider knows a payment: its session and its intent lead to one row.
payment_refs = table(
    "payment_refs",
    word("connector", primary_key=True),
    word("provider_ref", primary_key=True),
    word("payment_id"),
    Index("payment_refs_of", "payment_id"),
)

# `stated` facts are the shop's own word for what its backend took; see hub.shop.ledger.
payment_facts = table(
    "payment_facts",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("payment_id"),
    word("connector"),
    word("fact"),
    word("provider_ref"),
    number("stated", server_default="0"),
    number("amount", null=True),
    word("currency", null=True),
    word("code", null=True),
    word("event_id", null=True),
    at("occurred_at"),
    at("recorded_at"),
    UniqueConstraint("payment_id", "fact", "provider_ref", "stated"),
    Index("facts_by_ref", "connector", "provider_ref"),
    counted=True,
)

refunds = table(
    "refunds",
    word("id", primary_key=True),
    word("payment_id"),
    word("order_id", null=True),
    number("amount"),
    word("currency"),
    word("reason", null=True),
    word("source"),
    word("state"),
    word("provider_ref", null=True),
    word("job", null=True, unique=True),
    word("error", null=True),
    *_aggregate(),
    UniqueConstraint("payment_id", "provider_ref"),
    Index("refunds_order", "order_id"),
)

cases = table(
    "cases",
    word("id", primary_key=True),
    word("kind"),
    word("subject"),
    word("order_id", null=True),
    word("state"),
    json("evidence"),
    word("resolution", null=True),
    word("resolved_by", null=True),
    at("resolved_at", null=True),
    *_aggregate(),
    Index("cases_open", "kind", "subject", unique=True,
          sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index("cases_order", "order_id"),
)  # fmt: skip
