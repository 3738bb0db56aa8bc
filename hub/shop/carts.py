"""Carts: opened, changed, and quiet for too long; completing one is in hub.shop.checkout."""

from typing import Any

from pydantic import Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop import promotions
from hub.shop.cart_prices import fits, reckon_cart
from hub.shop.cart_snapshots import cart_snapshot
from hub.shop.events import Cause, fell_due, tell
from hub.shop.inputs import Address, Currency, Email, Input, Metadata, Qty, Word
from hub.shop.promotions import Code
from hub.shop.rules import ShopRules, invalid, mismatch
from hub.shop.snapshot import PERSON
from hub.shop.versions import ANY, Match
from store import aggregates, carts, catalog
from store.aggregates import Stored
from store.tx import Tx


class NewCartLine(Input):
    """How many of what; `variant` is an id or a SKU."""

    variant: Word
    qty: Qty


class CartLines(Input):
    """All lines of a cart."""

    lines: tuple[NewCartLine, ...] = Field(max_length=500)


class NewCart(Input):
    """A cart to be opened; with `customer` the person is the one we know."""

    currency: Currency
    email: Email | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    locale: Word | None = None
    customer: Word | None = None
    lines: tuple[NewCartLine, ...] = Field(default=(), max_length=500)
    metadata: Metadata = Field(default_factory=dict)


class CartAddresses(Input):
    """Where a cart goes and who pays; what is not named stays."""

    email: Email | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None


class CartCodes(Input):
    """All codes of a cart, in the order in which they take something off."""

    codes: tuple[Code, ...] = Field(max_length=10)


class CartShipping(Input):
    """How a cart is shipped; null: not at all."""

    code: Word | None


class CartDue(Input):
    """A cart that has been quiet."""

    cart: Word


def create_cart(tx: Tx, item: NewCart, rules: ShopRules) -> dict[str, Json]:
    """Open a cart.

    Raises:
        Refused: validation_error (an unknown variant), currency_mismatch (no price in it).
    """
    rules.check_currency(item.currency, "/currency")
    person = _person(tx, item)
    lines = _variants(tx, item.lines, item.currency)
    row = aggregates.add(
        tx,
        "cart",
        id=new_id("car", tx.now),
        state="open",
        currency=item.currency,
        customer_id=item.customer,
        expires_at=tx.now + rules.cart_kept,
        metadata=item.metadata,
        **person,
    )
    carts.set_lines(tx, row.id, lines)
    return _told(tx, row, "created", rules)


def set_lines(
    tx: Tx, ident: str, item: CartLines, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Put these lines in place of all that a cart had.

    Raises:
        Refused: not_found, version_conflict, cart_completed, validation_error, currency_mismatch.
    """
    row = _lock(tx, ident, match)
    carts.set_lines(tx, row.id, _variants(tx, item.lines, row.currency))
    return _changed(tx, row, rules)


def set_addresses(
    tx: Tx, ident: str, item: CartAddresses, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Say where a cart goes; shipping that does not go there is taken off.

    Raises:
        Refused: not_found, version_conflict, cart_completed, validation_error.
    """
    row = _lock(tx, ident, match)
    if row.customer_id is not None and item.email not in {None, row.email}:
        raise invalid("/email", "is not this customer's")
    row = aggregates.change(tx, "cart", row.id, **item.model_dump(exclude_none=True))
    way = rules.shipping.get(row.shipping_code or "")
    if way is not None and not fits(way, row):
        row = aggregates.change(tx, "cart", row.id, shipping_code=None)
    return _changed(tx, row, rules)


def set_codes(
    tx: Tx, ident: str, item: CartCodes, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Put these codes in place of all that a cart had.

    Raises:
        Refused: not_found, version_conflict, cart_completed, code_invalid.
    """
    row = _lock(tx, ident, match)
    codes = list(dict.fromkeys(item.codes))
    whole = reckon_cart(tx, row, rules).priced.items
    promotions.usable(tx, codes, row.currency, whole, "/codes")
    row = aggregates.change(tx, "cart", row.id, codes=codes)
    return _changed(tx, row, rules)


def set_shipping(
    tx: Tx, ident: str, item: CartShipping, rules: ShopRules, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Choose how a cart is shipped.

    Raises:
        Refused: not_found, version_conflict, cart_completed, validation_error.
    """
    row = _lock(tx, ident, match)
    if item.code is not None:
        way = rules.shipping.get(item.code)
        if way is None or not fits(way, row):
            offered = [w.code for w in rules.shipping.values() if fits(w, row)]
            raise invalid("/code", f"there is: {', '.join(offered) or 'none'}")
    row = aggregates.change(tx, "cart", row.id, shipping_code=item.code)
    return _changed(tx, row, rules)


def end_cart(tx: Tx, item: CartDue, rules: ShopRules) -> dict[str, Json]:
    """Call a quiet cart abandoned where somebody can be asked about it; expire it when old."""
    row = aggregates.lock(tx, "cart", item.cart)
    if row is None or row.state not in {"open", "abandoned"}:
        return {"cart": item.cart, "state": None}
    if row.expires_at <= tx.now:
        row = aggregates.change(tx, "cart", row.id, state="expired")
    elif (
        row.state == "open" and row.email and (at := row.updated_at + rules.abandon_after) <= tx.now
    ):
        row = aggregates.change(tx, "cart", row.id, state="abandoned")
        tell(tx, "shop.cart.abandoned", cart_snapshot(tx, row, rules), fell_due(tx, at))
    return {"cart": row.id, "state": row.state}


def quiet(tx: Tx, rules: ShopRules) -> list[str]:
    """Name the carts that may be called abandoned or expired."""
    return carts.quiet(tx, tx.now - rules.abandon_after)


def _lock(tx: Tx, ident: str, match: Match) -> Stored:
    row = aggregates.lock(tx, "cart", ident)
    if row is None:
        raise Refused("not_found", "there is no such cart")
    match.check(row)
    if row.state == "completed":
        raise Refused("cart_completed", f"it is order {row.order_id}", order=row.order_id)
    if row.state == "expired":
        told = {"from": "expired", "to": "open", "allowed": ["open", "abandoned"]}
        raise Refused("invalid_transition", "the cart has expired", **told)
    return row


def _changed(tx: Tx, row: Stored, rules: ShopRules) -> dict[str, Json]:
    """Say that somebody is at the cart: it is open, and kept from now on."""
    fresh = {"state": "open", "expires_at": tx.now + rules.cart_kept}
    return _told(tx, aggregates.change(tx, "cart", row.id, **fresh), "updated", rules)


def _told(tx: Tx, row: Stored, word: str, rules: ShopRules) -> dict[str, Json]:
    snapshot = cart_snapshot(tx, row, rules)
    tell(tx, f"shop.cart.{word}", snapshot, Cause())
    return {"cart": snapshot}


def _person(tx: Tx, item: NewCart) -> dict[str, Any]:
    told = {name: getattr(item, name) for name in PERSON}
    if item.customer is None:
        return told
    known = aggregates.get(tx, "customer", item.customer)
    if known is None or known.status != "active":
        raise invalid("/customer", f"no customer {item.customer}")
    if item.email not in {None, known.email}:
        raise invalid("/email", "is not this customer's")
    return {name: value or getattr(known, name) for name, value in told.items()}


def _variants(
    tx: Tx, lines: tuple[NewCartLine, ...], currency: str
) -> list[tuple[str, int]]:  # fmt: skip
    words = {line.variant for line in lines}
    known = catalog.find_variants(tx, words, currency) if words else {}
    for position, line in enumerate(lines):
        pointer = f"/lines/{position}/variant"
        found = known.get(line.variant)
        if found is None or found.status != "active":
            raise invalid(pointer, f"no variant {line.variant!r}", "unknown_variant")
        if found.amount is None:
            raise mismatch(pointer, f"{found.sku} has no price in {currency}")
    return [(known[line.variant].id, line.qty) for line in lines]
