"""What an admin decides about the shop, and how the shop says no."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from hub.effects import Effect
from hub.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingWay:
    """One way to ship.

    Args:
        countries: Where to; empty means anywhere.
        prices: Currency to price.
        free_from: Currency to the sum of items from which it costs nothing.
    """

    code: str
    title: str
    countries: tuple[str, ...] = ()
    tax_class: str = "standard"
    prices: Mapping[str, int] = field(default_factory=dict)
    free_from: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopRules:
    """The shop's settings, as its actions read them.

    Args:
        currencies: What is sold in; empty means any.
        hold: How long stock waits for an order's money.
        hold_bank: The same, while a bank is at it.
        abandon_after: How long an open cart is quiet before it counts as abandoned.
        return_window: How long after its delivery an order can come back; then it closes.
        late_money: What is done with money for an order that has ended.
        allow_unpaid: Orders are placed before they are paid.
        prices_include_tax: The catalogue's prices hold their tax.
        taxes: Country to tax class to rate, in hundredths of a percent.
        home: The country of a cart that has told no address.
        shipping: The ways to ship, by code.
        cart_kept: How long a quiet cart is kept.
        payment_connectors: Name of each configured payment connector to its actions' effects.
        test: Every order is marked as a test.
    """

    currencies: tuple[str, ...] = ()
    hold: timedelta = timedelta(minutes=30)
    hold_bank: timedelta = timedelta(days=7)
    abandon_after: timedelta = timedelta(hours=4)
    return_window: timedelta = timedelta(days=30)
    late_money: Literal["case", "refund", "revive"] = "case"
    allow_unpaid: bool = False
    prices_include_tax: bool = False
    taxes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    home: str | None = None
    shipping: Mapping[str, ShippingWay] = field(default_factory=dict)
    cart_kept: timedelta = timedelta(days=30)
    payment_connectors: Mapping[str, Mapping[str, Effect]] = field(default_factory=dict)
    test: bool = False

    def check_currency(self, currency: str, pointer: str) -> None:
        """Refuse a currency the shop does not sell in."""
        if self.currencies and currency not in self.currencies:
            raise mismatch(pointer, f"the shop sells in {', '.join(self.currencies)}")

    def effects(self, connector: str, pointer: str) -> Mapping[str, Effect]:
        """Give a payment connector's effects, or refuse its name."""
        found = self.payment_connectors.get(connector)
        if found is None:
            known = ", ".join(sorted(self.payment_connectors)) or "none"
            raise invalid(pointer, f"no payment connector {connector!r} (there is: {known})")
        return found


def invalid(pointer: str, detail: str, code: str = "invalid") -> Refused:
    """Refuse one field of a request, named by its JSON pointer."""
    errors = [{"pointer": pointer, "code": code, "detail": detail}]
    return Refused("validation_error", f"{pointer}: {detail}", errors=errors)


def mismatch(pointer: str, detail: str) -> Refused:
    """Refuse money of another currency than the thing it is for."""
    errors = [{"pointer": pointer, "code": "currency_mismatch", "detail": detail}]
    return Refused("currency_mismatch", f"{pointer}: {detail}", errors=errors)
