"""The tables of customers, carts and orders. Money is integer minor units.

E-mail, names and addresses stay clear, since they are searched.
"""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, UniqueConstraint

from store.schema import Int, at, number, table, word
from store.shop_columns import aggregate, json, only_where, person, sums

customers = table(
    "customers",
    word("id", primary_key=True),
    *person(email=True),
    word("status", server_default="active"),
    word("consent_status", null=True),
    word("consent_source", null=True),
    at("consent_at", null=True),
    word("external_ref", null=True),
    json("metadata", server_default="{}"),
    *aggregate(),
    UniqueConstraint("email"),
    Index("customers_external_ref", "external_ref", unique=True),
)

carts = table(
    "carts",
    word("id", primary_key=True),
    word("state"),
    word("currency"),
    *person(email=False),
    word("customer_id", null=True),
    word("order_id", null=True, unique=True),
    at("expires_at"),
    json("metadata"),
    json("billing_address", null=True),
    json("shipping_address", null=True),
    json("codes", server_default="[]"),
    word("shipping_code", null=True),
    *aggregate(),
    Index("carts_quiet", "state", "updated_at", **only_where("state IN ('open', 'abandoned')")),
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
    *person(email=True),
    json("billing_address", null=True),
    json("shipping_address", null=True),
    *(number(name) for name in ("items", "discount", "shipping", "tax", "total")),
    *sums(),
    at("expires_at", null=True),
    at("placed_at", null=True),
    at("authorized_at", null=True),
    at("paid_at", null=True),
    json("metadata"),
    word("fulfilment_status", server_default="unfulfilled"),
    word("staff_hold", null=True),
    word("coupon", null=True),
    word("shipping_code", null=True),
    number("prices_include_tax", server_default="0"),
    number("shipping_tax", server_default="0"),
    word("cancel_reason", null=True),
    at("cancelled_at", null=True),
    at("fulfilled_at", null=True),
    at("closed_at", null=True),
    *aggregate(),
    Index("orders_due", "expires_at", **only_where("lifecycle = 'pending_payment'")),
    Index("orders_fulfilled", "fulfilled_at", **only_where("lifecycle = 'placed'")),
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
    *(number(name, server_default="0") for name in ("qty_fulfilled", "qty_returned")),
    number("qty_cancelled", server_default="0"),
    word("tax_class", null=True),
    number("tax_rate", null=True),  # hundredths of a percent; null: its shop has told the tax only
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

# One row for every taxable thing, also without tax: "exempt" is not "nobody has worked it out".
tax_lines = table(
    "tax_lines",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("order_id"),
    word("line_id", null=True),  # null: the shipping
    word("tax_class", null=True),
    word("treatment"),
    number("rate"),
    number("base"),
    number("amount"),
    Index("tax_lines_order", "order_id"),
    counted=True,
)

order_adjustments = table(
    "order_adjustments",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("order_id"),
    word("line_id", null=True),
    word("kind"),
    word("code", null=True),
    number("amount"),
    Index("order_adjustments_order", "order_id"),
    counted=True,
)

order_notes = table(
    "order_notes",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("order_id"),
    word("who"),
    word("text"),
    at("at"),
    Index("order_notes_order", "order_id"),
    counted=True,
)

fulfilments = table(
    "fulfilments",
    word("id", primary_key=True),
    word("order_id"),
    word("state"),
    word("carrier", null=True),
    word("tracking", null=True),
    *(at(f"{word}_at", null=True) for word in ("packed", "shipped", "delivered")),
    *(at(f"{word}_at", null=True) for word in ("cancelled", "returned")),
    json("metadata"),
    *aggregate(),
    Index("fulfilments_order", "order_id"),
)

fulfilment_lines = table(
    "fulfilment_lines",
    word("fulfilment_id"),
    word("order_line_id"),
    number("qty"),
    number("qty_returned", server_default="0"),
    PrimaryKeyConstraint("fulfilment_id", "order_line_id"),
)
