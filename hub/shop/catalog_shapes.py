"""What events tell of customers, carts and the catalogue."""

from typing import Any, Literal

from pydantic import MISSING

from hub.payments import Sum
from hub.shop.shape import Snapshot


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
