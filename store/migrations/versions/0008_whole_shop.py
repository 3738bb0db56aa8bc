"""The shop in full: dated prices, places, promotions, taxes, notes, fulfilments, disputes."""

from typing import Any

from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, Text, UniqueConstraint, text

from store.schema import Int

revision = "0008"
down_revision = "0007"

ZERO: dict[str, Any] = {"server_default": "0"}


def upgrade() -> None:
    """Expand."""
    _columns()
    _catalogue()
    _orders()
    _fulfilments()
    _disputes()


def _columns() -> None:
    for name in ("status", "tax_class"):
        op.add_column("variants", word(name, server_default=STARTS[name]))
    add("variants", number("weight", null=True), word("metadata", server_default="{}"))
    add("variants", number("version", server_default="1"), number("sequence", **ZERO))
    add("variants", number("created_at", **ZERO), number("updated_at", **ZERO))
    add("prices", number("list_amount", null=True))
    add("customers", word("status", server_default="active"), word("metadata", server_default="{}"))
    add("customers", *(word(n, null=True) for n in ("consent_status", "consent_source")))
    add("customers", number("consent_at", null=True), word("external_ref", null=True))
    index("customers_external_ref", "customers", ["external_ref"], unique=True)
    add("carts", *(word(n, null=True) for n in ("billing_address", "shipping_address")))
    add("carts", word("codes", server_default="[]"), word("shipping_code", null=True))
    live = "state IN ('open', 'abandoned')"
    index("carts_quiet", "carts", ["state", "updated_at"], where=live)
    add("orders", word("fulfilment_status", server_default="unfulfilled"))
    add("orders", *(word(n, null=True) for n in ("staff_hold", "coupon", "shipping_code")))
    add("orders", *(number(n, **ZERO) for n in ("prices_include_tax", "shipping_tax")))
    add("orders", word("cancel_reason", null=True))
    times = ("cancelled_at", "fulfilled_at", "closed_at")
    add("orders", *(number(n, null=True) for n in times))
    index("orders_due", "orders", ["expires_at"], where="lifecycle = 'pending_payment'")
    index("orders_fulfilled", "orders", ["fulfilled_at"], where="lifecycle = 'placed'")
    counts = ("qty_fulfilled", "qty_returned", "qty_cancelled")
    add("order_lines", *(number(n, **ZERO) for n in counts))
    add("order_lines", word("tax_class", null=True), number("tax_rate", null=True))
    add("refunds", word("lines", null=True), number("restock", **ZERO))
    add("cases", number("accepted", **ZERO), word("note", null=True))


STARTS = {"status": "active", "tax_class": "standard"}


def _catalogue() -> None:
    table(
        "dated_prices",
        number("n", primary_key=True),
        word("variant_id"),
        word("currency"),
        number("amount"),
        number("list_amount", null=True),
        number("valid_from"),
        number("valid_to", null=True),
        counted=True,
    )
    index("dated_prices_of", "dated_prices", ["variant_id", "currency", "valid_from"])
    table("locations", word("id", primary_key=True), word("title"), number("created_at"))
    table(
        "promotions",
        word("id", primary_key=True),
        word("code", unique=True),
        word("kind"),
        number("value"),
        word("currency", null=True),
        *(number(n, null=True) for n in ("min_total", "starts_at", "ends_at", "max_uses")),
        number("max_per_customer", null=True),
        number("used", **ZERO),
        number("active", server_default="1"),
        word("metadata"),
        *aggregate(),
    )
    table(
        "promotion_uses",
        *(word(n) for n in ("promotion_id", "order_id", "customer_id", "state")),
        number("at"),
        PrimaryKeyConstraint("promotion_id", "order_id"),
    )
    index("promotion_uses_order", "promotion_uses", ["order_id"])
    index("promotion_uses_customer", "promotion_uses", ["promotion_id", "customer_id"])


def _orders() -> None:
    table(
        "tax_lines",
        number("n", primary_key=True),
        word("order_id"),
        *(word(n, null=True) for n in ("line_id", "tax_class")),
        word("treatment"),
        *(number(n) for n in ("rate", "base", "amount")),
        counted=True,
    )
    index("tax_lines_order", "tax_lines", ["order_id"])
    table(
        "order_adjustments",
        number("n", primary_key=True),
        word("order_id"),
        word("line_id", null=True),
        word("kind"),
        word("code", null=True),
        number("amount"),
        counted=True,
    )
    index("order_adjustments_order", "order_adjustments", ["order_id"])
    table(
        "order_notes",
        number("n", primary_key=True),
        *(word(n) for n in ("order_id", "who", "text")),
        number("at"),
        counted=True,
    )
    index("order_notes_order", "order_notes", ["order_id"])


def _fulfilments() -> None:
    steps = ("packed_at", "shipped_at", "delivered_at", "cancelled_at", "returned_at")
    table(
        "fulfilments",
        word("id", primary_key=True),
        *(word(n) for n in ("order_id", "state")),
        *(word(n, null=True) for n in ("carrier", "tracking")),
        *(number(n, null=True) for n in steps),
        word("metadata"),
        *aggregate(),
    )
    index("fulfilments_order", "fulfilments", ["order_id"])
    table(
        "fulfilment_lines",
        *(word(n) for n in ("fulfilment_id", "order_line_id")),
        number("qty"),
        number("qty_returned", **ZERO),
        PrimaryKeyConstraint("fulfilment_id", "order_line_id"),
    )


def _disputes() -> None:
    table(
        "disputes",
        word("id", primary_key=True),
        word("payment_id"),
        word("order_id", null=True),
        *(word(n) for n in ("connector", "provider_ref")),
        number("amount", null=True),
        *(word(n, null=True) for n in ("currency", "reason")),
        word("state"),
        number("open", server_default="1"),
        number("evidence_due_by", null=True),
        *aggregate(),
        UniqueConstraint("connector", "provider_ref"),
    )
    index("disputes_payment", "disputes", ["payment_id"])


def table(name: str, *parts: Any, counted: bool = False) -> None:
    """Make a table."""
    op.create_table(name, *parts, sqlite_strict=True, sqlite_autoincrement=counted)


def index(
    name: str, table_name: str, columns: list[str], *, unique: bool = False, where: str = ""
) -> None:
    """Make an index, of the rows for which a condition holds."""
    only: dict[str, Any] = (
        {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    )
    op.create_index(name, table_name, columns, unique=unique, **only)


def add(table_name: str, *columns: Column[Any]) -> None:
    """Add columns."""
    for column in columns:
        op.add_column(table_name, column)


def aggregate() -> list[Column[Any]]:
    """Give what every aggregate has."""
    counts = [number("version", server_default="1"), number("sequence", **ZERO)]
    return [*counts, number("created_at"), number("updated_at")]


def word(name: str, *, null: bool = False, **more: Any) -> Column[str]:
    """Give a text column."""
    return Column(name, Text, nullable=null, **more)


def number(name: str, *, null: bool = False, **more: Any) -> Column[int]:
    """Give an integer column; times are integers too."""
    return Column(name, Int, nullable=null, **more)
