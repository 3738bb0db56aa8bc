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
