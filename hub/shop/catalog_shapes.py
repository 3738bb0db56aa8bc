"""What events tell of customers, carts and the catalogue."""

from typing import Any, Literal

from pydantic import MISSING

from hub.payments import Sum
from hub.shop.order_shapes import AddressCopy
from hub.shop.shape import Snapshot


class Consent(Snapshot):
    """Whether a customer wants news, where they said so, and when."""

    status: Literal["granted", "denied", "withdrawn"]
    source: str | MISSING = MISSING
    at: str | MISSING = MISSING


class Customer(Snapshot):
    """shop.customer@1."""

    id: str
    version: int
    email: str
    first_name: str | MISSING = MISSING
    last_name: str | MISSING = MISSING
    phone: str | MISSING = MISSING
    locale: str | MISSING = MISSING
    status: Literal["active", "disabled", "anonymised"] | MISSING = MISSING
    consent: Consent | MISSING = MISSING
    external_ref: str | MISSING = MISSING
    metadata: dict[str, Any] | MISSING = MISSING
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
    """shop.cart@1; `consent` is that of the customer who has the cart, or its e-mail address."""

    id: str
    version: int
    state: Literal["open", "abandoned", "completed", "expired"]
    currency: str
    email: str | MISSING = MISSING
    first_name: str | MISSING = MISSING
    last_name: str | MISSING = MISSING
    locale: str | MISSING = MISSING
    consent: Consent | MISSING = MISSING
    customer_id: str | MISSING = MISSING
    order_id: str | MISSING = MISSING
    billing_address: AddressCopy | MISSING = MISSING
    shipping_address: AddressCopy | MISSING = MISSING
    shipping_code: str | MISSING = MISSING
    codes: list[str] | MISSING = MISSING
    lines: list[CartLine]
    totals: Totals
    metadata: dict[str, Any]
    created_at: str
    expires_at: str


class Price(Snapshot):
    """A price; `list_amount` is what is crossed out, `valid_from` begins one for a time."""

    amount: int
    currency: str
    list_amount: int | MISSING = MISSING
    valid_from: str | MISSING = MISSING
    valid_to: str | MISSING = MISSING


class Variant(Snapshot):
    """shop.variant@1: one thing that can be bought; stock is absent where it is not counted."""

    id: str
    version: int | MISSING = MISSING
    product_id: str | MISSING = MISSING
    sku: str
    title: str | MISSING = MISSING
    status: Literal["active", "archived"] | MISSING = MISSING
    tax_class: str | MISSING = MISSING
    weight: int | MISSING = MISSING
    track_inventory: bool
    prices: list[Price]
    on_hand: int | MISSING = MISSING
    available: int | MISSING = MISSING
    metadata: dict[str, Any] | MISSING = MISSING


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
