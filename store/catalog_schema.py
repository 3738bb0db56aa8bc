"""The catalogue's tables: products, variants, prices, stock and what moved it.

Rows of `stock_movements` are only ever added.
"""

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint

from store.schema import Int, at, number, table, word
from store.shop_columns import aggregate, json

DEFAULT_LOCATION = "default"

products = table(
    "products",
    word("id", primary_key=True),
    word("title"),
    word("status"),
    word("external_ref", null=True, unique=True),
    json("metadata"),
    *aggregate(),
)

variants = table(
    "variants",
    word("id", primary_key=True),
    word("product_id"),
    number("position"),
    word("sku", unique=True),
    word("title", null=True),
    number("track_inventory"),
    word("status", server_default="active"),
    word("tax_class", server_default="standard"),
    number("weight", null=True),  # grams
    json("metadata", server_default="{}"),
    *aggregate(server_default="0"),
    Index("variants_product", "product_id", "position"),
)

prices = table(
    "prices",
    word("variant_id", primary_key=True),
    word("currency", primary_key=True),
    number("amount"),
    number("list_amount", null=True),
)

# Prices for a time go before the price that always holds; of several the one that began last.
dated_prices = table(
    "dated_prices",
    Column("n", Int, primary_key=True, autoincrement=True),
    word("variant_id"),
    word("currency"),
    number("amount"),
    number("list_amount", null=True),
    at("valid_from"),
    at("valid_to", null=True),
    Index("dated_prices_of", "variant_id", "currency", "valid_from"),
    counted=True,
)

# The default location needs no row.
locations = table(
    "locations",
    word("id", primary_key=True),
    word("title"),
    at("created_at"),
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

promotions = table(
    "promotions",
    word("id", primary_key=True),
    word("code", unique=True),
    word("kind"),
    number("value"),  # hundredths of a percent, or minor units
    word("currency", null=True),
    number("min_total", null=True),
    at("starts_at", null=True),
    at("ends_at", null=True),
    number("max_uses", null=True),
    number("max_per_customer", null=True),
    number("used", server_default="0"),
    number("active", server_default="1"),
    json("metadata"),
    *aggregate(),
)

promotion_uses = table(
    "promotion_uses",
    word("promotion_id"),
    word("order_id"),
    word("customer_id"),
    word("state"),
    at("at"),
    PrimaryKeyConstraint("promotion_id", "order_id"),
    Index("promotion_uses_order", "order_id"),
    Index("promotion_uses_customer", "promotion_id", "customer_id"),
)
