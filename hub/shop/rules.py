"""What an admin decides about the shop, and how the shop says no."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from hub.effects import Effect
from hub.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopRules:
    """The shop's settings, as its actions read them.

    Args:
        currencies: What is sold in; empty means any.
        hold: How long stock waits for an order's money.
        cart_kept: How long a quiet cart is kept.
        payment_connectors: Name of each configured payment connector to its actions' effects.
        test: Every order is marked as a test.
    """

    currencies: tuple[str, ...] = ()
    hold: timedelta = timedelta(minutes=30)
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
