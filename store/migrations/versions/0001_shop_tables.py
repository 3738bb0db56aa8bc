"""First tables of the shop.

Written out: what a released migration makes must never change with the tables of a later release.
"""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    Text,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.dialects import sqlite

revision = "0001_shop"
down_revision = "0001"

Int = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
Bytes = LargeBinary().with_variant(sqlite.BLOB(), "sqlite")


def upgrade() -> None:
    """Expand; stores older than this file have these tables from the step before."""
    if inspect(op.get_bind()).has_table("customers"):
        return
    _part_1()
    _part_2()
    _part_3()
    _part_4()


def _part_1() -> None:
    table(
        "customers",
        word("id", primary_key=True),
        word("email", unique=True),
        word("first_name", null=True),
        word("last_name", null=True),
        word("phone", null=True),
        word("locale", null=True),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
    )
    table(
        "products",
        word("id", primary_key=True),
        word("title"),
        word("status"),
        word("external_ref", null=True, unique=True),
        word("metadata"),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
    )
    table(
        "variants",
        word("id", primary_key=True),
        word("product_id"),
        number("position"),
        word("sku", unique=True),
        word("title", null=True),
        number("track_inventory"),
    )
    index("variants_product", "variants", ["product_id", "position"])
    table(
        "prices",
        word("variant_id", primary_key=True),
        word("currency", primary_key=True),
        number("amount"),
    )
    table(
        "stock",
        word("variant_id", primary_key=True),
        word("location_id", primary_key=True),
        number("on_hand"),
        number("reserved", server_default="0"),
        number("backorder_limit", server_default="0"),
        CheckConstraint(
            "reserved >= 0 AND reserved <= on_hand + backorder_limit", "stock_not_oversold"
        ),
    )


def _part_2() -> None:
    table(
        "stock_movements",
        number("n", primary_key=True),
        word("variant_id"),
        word("location_id"),
        number("delta_on_hand"),
        number("delta_reserved"),
        word("reason"),
        word("ref", null=True),
        number("at"),
        counted=True,
    )
    index("movements_of_stock", "stock_movements", ["variant_id", "location_id"])
    table(
        "carts",
        word("id", primary_key=True),
        word("state"),
        word("currency"),
        word("email", null=True),
        word("first_name", null=True),
        word("last_name", null=True),
        word("phone", null=True),
        word("locale", null=True),
        word("customer_id", null=True),
        word("order_id", null=True, unique=True),
        number("expires_at"),
        word("metadata"),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
    )
    table(
        "cart_lines",
        word("cart_id", primary_key=True),
        number("position", primary_key=True, autoincrement=False),
        word("variant_id"),
        number("qty"),
        number("unit_price", null=True),
    )
    table(
        "orders",
        number("n", primary_key=True),
        word("id", unique=True),
        word("number", null=True),
        word("currency"),
        word("lifecycle"),
        word("payment_status"),
        word("hold_reasons"),
        word("origin"),
        number("test"),
        word("external_ref", null=True, unique=True),
        word("customer_id"),
        number("guest"),
        word("email"),
        word("first_name", null=True),
        word("last_name", null=True),
        word("phone", null=True),
        word("locale", null=True),
        word("billing_address", null=True),
        word("shipping_address", null=True),
        number("items"),
        number("discount"),
        number("shipping"),
        number("tax"),
        number("total"),
        number("authorized", server_default="0"),
        number("captured", server_default="0"),
        number("refunded", server_default="0"),
        number("charged_back", server_default="0"),
        number("expires_at", null=True),
        number("placed_at", null=True),
        number("authorized_at", null=True),
        number("paid_at", null=True),
        word("metadata"),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
        counted=True,
    )
    index("orders_customer", "orders", ["customer_id", "n"])
    index("orders_email", "orders", ["email", "n"])
    table(
        "order_lines",
        word("id", primary_key=True),
        word("order_id"),
        number("position"),
        word("variant_id", null=True),
        word("sku"),
        word("title"),
        number("gift", server_default="0"),
        number("qty"),
        number("unit_price"),
        number("discount"),
        number("tax"),
        number("total"),
        UniqueConstraint("order_id", "position"),
    )


def _part_3() -> None:
    table(
        "reservations",
        number("n", primary_key=True),
        word("order_line_id"),
        word("order_id"),
        word("variant_id"),
        word("location_id"),
        number("qty"),
        word("state"),
        number("expires_at", null=True),
        counted=True,
    )
    index("reservations_order", "reservations", ["order_id"])
    index("reservations_stock", "reservations", ["variant_id", "location_id"])
    table(
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
        number("authorized", server_default="0"),
        number("captured", server_default="0"),
        number("refunded", server_default="0"),
        number("charged_back", server_default="0"),
        word("job", null=True, unique=True),
        word("error", null=True),
        word("claimed_order", null=True),
        word("merged_into", null=True),
        data("handoff", null=True),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
        UniqueConstraint("connector", "provider_ref"),
    )
    index("payments_order", "payments", ["order_id"])
    index("payments_unmatched", "payments", ["created_at"], where="order_id IS NULL")
    table(
        "payment_refs",
        word("connector", primary_key=True),
        word("provider_ref", primary_key=True),
        word("payment_id"),
    )
    index("payment_refs_of", "payment_refs", ["payment_id"])
    table(
        "payment_facts",
        number("n", primary_key=True),
        word("payment_id"),
        word("connector"),
        word("fact"),
        word("provider_ref"),
        number("stated", server_default="0"),
        number("amount", null=True),
        word("currency", null=True),
        word("code", null=True),
        word("event_id", null=True),
        number("occurred_at"),
        number("recorded_at"),
        UniqueConstraint("payment_id", "fact", "provider_ref", "stated"),
        counted=True,
    )
    index("facts_by_ref", "payment_facts", ["connector", "provider_ref"])
    table(
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
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
        UniqueConstraint("payment_id", "provider_ref"),
    )
    index("refunds_order", "refunds", ["order_id"])


def _part_4() -> None:
    table(
        "cases",
        word("id", primary_key=True),
        word("kind"),
        word("subject"),
        word("order_id", null=True),
        word("state"),
        word("evidence"),
        word("resolution", null=True),
        word("resolved_by", null=True),
        number("resolved_at", null=True),
        number("version", server_default="1"),
        number("sequence", server_default="0"),
        number("created_at"),
        number("updated_at"),
    )
    index("cases_open", "cases", ["kind", "subject"], unique=True, where="state = 'open'")
    index("cases_order", "cases", ["order_id"])


def table(name: str, *parts: Any, counted: bool = False, **more: Any) -> None:
    """Make a table."""
    op.create_table(name, *parts, sqlite_strict=True, sqlite_autoincrement=counted, **more)


def index(
    name: str, table_name: str, columns: list[str], *, unique: bool = False, where: str = ""
) -> None:
    """Make an index, of the rows for which a condition holds."""
    only: dict[str, Any] = (
        {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    )
    op.create_index(name, table_name, columns, unique=unique, **only)


def word(name: str, *, null: bool = False, **more: Any) -> Column[str]:
    """Give a text column."""
    return Column(name, Text, nullable=null, **more)


def number(name: str, *, null: bool = False, **more: Any) -> Column[int]:
    """Give an integer column; times are integers too."""
    return Column(name, Int, nullable=null, **more)


def data(name: str, *, null: bool = False, **more: Any) -> Column[bytes]:
    """Give a bytes column."""
    return Column(name, Bytes, nullable=null, **more)
