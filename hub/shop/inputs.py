"""The parts that the inputs of several actions share: money, text, addresses, e-mail."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from hub.model import Json, write_json
from hub.payments import Sum

MOST_MONEY = 10**12
MOST_METADATA = 16 * 1024
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Input(BaseModel):
    """An action's input: nothing in it is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # at first use


def _bounded(money: Sum) -> Sum:
    if money.amount > MOST_MONEY:
        raise ValueError(f"at most {MOST_MONEY} minor units")
    return money


def _email(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    address = value.strip().lower()
    if len(address) > 254 or not EMAIL.fullmatch(address):
        raise ValueError("not an e-mail address")
    return address


def _small(value: dict[str, Json]) -> dict[str, Json]:
    if len(write_json(value)) > MOST_METADATA:
        raise ValueError(f"at most {MOST_METADATA} bytes as JSON")
    return value


Price = Annotated[Sum, AfterValidator(_bounded)]
Email = Annotated[str, BeforeValidator(_email)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Qty = Annotated[int, Field(ge=1, le=10_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Metadata = Annotated[dict[str, Json], AfterValidator(_small)]


class Nothing(Input):
    """An empty body."""


class Address(Input):
    """A postal address, as the customer wrote it."""

    name: Word | None = None
    company: Word | None = None
    street: Word | None = None
    street2: Word | None = None
    zip: Word | None = None
    city: Word | None = None
    region: Word | None = None
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    phone: Word | None = None
