"""The shape of `shop:` in config.yaml: what the built-in shop sells by."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from hub.config.part import Part
from hub.config.units import (
    Country,
    Currency,
    Duration,
    Locale,
    Minor,
    Name,
    Share,
    TimeZone,
    listed,
)

DAY = timedelta(hours=24)


class Hold(Part):
    """How long stock waits for the money; a bank that is at it gets longer."""

    default: Duration = timedelta(minutes=30)
    bank: Duration = 7 * DAY


class PricePart(Part):
    """A price in minor units."""

    amount: Minor
    currency: Currency


class ShippingPart(Part):
    """One way to ship, and from which sum of items it costs nothing."""

    code: Name
    title: str
    countries: tuple[Country, ...] = ()
    tax_class: Name = "standard"
    prices: Annotated[tuple[PricePart, ...], Field(min_length=1)]
    free_from: Annotated[tuple[PricePart, ...], BeforeValidator(listed)] = ()


class Shop(Part):
    """The built-in shop."""

    time_zone: TimeZone
    locale: Locale
    currencies: Annotated[tuple[Currency, ...], Field(min_length=1)]
    hold: Hold = Hold()
    abandon_after: Duration = timedelta(hours=4)
    return_window: Duration = 30 * DAY
    late_money: Literal["case", "refund", "revive"] = "case"
    allow_unpaid: bool = False
    prices_include_tax: bool = True
    taxes: dict[Country, dict[Name, Share]] = Field(default_factory=dict)
    shipping: tuple[ShippingPart, ...] = ()
