"""The tables of customers, carts and orders. Money is integer minor units.

E-mail, names and addresses stay clear, since they are searched.
"""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, UniqueConstraint

from store.schema import Int, at, number, table, word
from store.shop_columns import aggregate, json, person, sums

customers = table(
    "customers",
    word("id", primary_key=True),
    *person(email=True),
    *aggregate(),
    UniqueConstraint("email"),
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
    *aggregate(),
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
    *aggregate(),
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
