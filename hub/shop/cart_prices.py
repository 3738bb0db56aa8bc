"""A cart at today's prices: its lines, codes and shipping through hub.shop.pricing."""

from dataclasses import dataclass

from hub.shop import promotions
from hub.shop.pricing import Item, Priced, Taxes, price
from hub.shop.rules import ShippingWay, ShopRules
from store import carts
from store.aggregates import Stored
from store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """A cart with what its lines, codes and shipping come to.

    Args:
        uses: The promotions that take something off.
    """

    lines: list[Stored]
    priced: Priced
    uses: tuple[Stored, ...] = ()


def reckon_cart(tx: Tx, cart: Stored, rules: ShopRules) -> Reckoned:
    """Work a cart out; a code that has lost its use takes nothing off, and neither is refused."""
    lines = carts.lines_of(tx, cart.id)
    items = [Item(amount=n.qty * (n.unit_price or 0), tax_class=n.tax_class) for n in lines]
    whole = sum(item.amount for item in items)
    uses = promotions.fitting(tx, cart.codes, cart.currency, whole) if cart.codes else []
    priced = price(
        items,
        shipping_of(cart, whole, rules),
        [promotions.off(row) for row in uses],
        taxes_of(cart, rules),
    )
    return Reckoned(lines=lines, priced=priced, uses=tuple(uses))


def taxes_of(cart: Stored, rules: ShopRules) -> Taxes:
    """Give the taxes of the country a cart goes to: its address's, or else the shop's own."""
    address = cart.shipping_address or cart.billing_address or {}
    country = address.get("country") or rules.home
    return Taxes(
        rates=rules.taxes.get(country or ""),
        included=rules.prices_include_tax,
        known=bool(rules.taxes),
    )


def shipping_of(cart: Stored, items: int, rules: ShopRules) -> Item | None:
    """Give a cart's shipping as priced now; None where none is chosen, or it is offered no more."""
    way = rules.shipping.get(cart.shipping_code or "")
    if way is None or not fits(way, cart):
        return None
    free = way.free_from.get(cart.currency)
    costs = 0 if free is not None and items >= free else way.prices[cart.currency]
    return Item(amount=costs, tax_class=way.tax_class)


def fits(way: ShippingWay, cart: Stored) -> bool:
    """Say whether a cart can be shipped so: a price in its currency, and its country served."""
    country = (cart.shipping_address or {}).get("country")
    served = not way.countries or country is None or country in way.countries
    return served and cart.currency in way.prices
