"""Promotions: codes that take something off, used within limits, returned with their order."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.inputs import MOST_MONEY, Count, Currency, Input, Metadata
from hub.shop.pricing import Off
from hub.shop.rules import ShopRules
from hub.shop.snapshot import known
from store import aggregates, promotions
from store.aggregates import Stored
from store.tx import Tx

WHOLE = 10_000  # a percentage is kept in hundredths of a percent
Code = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=1, max_length=64)
]


class NewPromotion(Input):
    """A code and what it takes off: `percent` (100 is one percent), `amount`, `free_shipping`."""

    code: Code
    kind: Literal["percent", "amount", "free_shipping"]
    value: Annotated[int, Field(ge=0, le=MOST_MONEY)] = 0
    currency: Currency | None = None
    min_total: Count | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    max_uses: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    max_per_customer: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> "NewPromotion":
        if self.kind == "percent" and not 0 < self.value <= WHOLE:
            raise ValueError(f"a percent promotion's value is from 1 to {WHOLE}")
        if self.kind == "amount" and (self.currency is None or self.value == 0):
            raise ValueError("an amount promotion needs a value and its currency")
        if self.min_total is not None and self.currency is None:
            raise ValueError("min_total needs a currency")
        return self


def create_promotion(tx: Tx, item: NewPromotion, rules: ShopRules) -> dict[str, Json]:
    """Make a promotion.

    Raises:
        Refused: code_invalid where the code is taken; currency_mismatch.
    """
    if item.currency is not None:
        rules.check_currency(item.currency, "/currency")
    row = aggregates.add_new(tx, "promotion", id=new_id("prm", tx.now), **item.model_dump())
    if row is None:
        raise bad_code("/code", "a promotion has this code already")
    return {"promotion": promotion_view(row)}


def promotion_view(row: Stored) -> dict[str, Json]:
    """Give a promotion as the API answers it."""
    names = ("id", "version", "code", "kind", "value", "used", "metadata")
    optional = ("currency", "min_total", "starts_at", "ends_at", "max_uses", "max_per_customer")
    return {
        **{name: getattr(row, name) for name in names},
        "active": bool(row.active),
        **known(**{name: getattr(row, name) for name in optional}, created_at=row.created_at),
    }


def usable(tx: Tx, codes: list[str], currency: str, items: int, pointer: str) -> list[Stored]:
    """Find the promotions of a cart's codes, in their order.

    Raises:
        Refused: code_invalid, saying why.
    """
    found = promotions.by_codes(tx, codes)
    for place, code in enumerate(codes):
        if (why := _unfit(tx, found.get(code), currency, items)) is not None:
            raise bad_code(f"{pointer}/{place}", why)
    return [found[code] for code in codes]


def fitting(tx: Tx, codes: list[str], currency: str, items: int) -> list[Stored]:
    """Find those of a cart's codes that could be used now."""
    found = promotions.by_codes(tx, codes)
    return [found[code] for code in codes if _unfit(tx, found.get(code), currency, items) is None]


def off(row: Stored) -> Off:
    """Say what a promotion takes off, as pricing takes it."""
    return Off(code=row.code, kind=row.kind, value=row.value)


def use(tx: Tx, row: Stored, *, order: str, customer: str) -> None:
    """Count a use for an order, within the promotion's limits.

    Raises:
        Refused: code_invalid: others were faster, or this customer has had their share.
    """
    if not promotions.count(tx, row.id):
        raise bad_code("/codes", f"{row.code} is used up")
    most = row.max_per_customer
    if most is not None and promotions.uses_by(tx, row.id, customer) >= most:
        raise bad_code("/codes", f"this customer has used {row.code} already")
    promotions.add_use(tx, promotion=row.id, order=order, customer=customer)


def give_back(tx: Tx, order: str) -> None:
    """Return the uses of an order that ends unpaid."""
    promotions.move_uses(tx, order, state="returned", step=-1)


def use_again(tx: Tx, order: str) -> None:
    """Count the uses of an order that is taken up again, whatever the limits."""
    promotions.move_uses(tx, order, state="used", step=1)


def bad_code(pointer: str, why: str) -> Refused:
    """Refuse a code."""
    errors = [{"pointer": pointer, "code": "code_invalid", "detail": why}]
    return Refused("code_invalid", why, errors=errors)


def _unfit(tx: Tx, row: Stored | None, currency: str, items: int) -> str | None:
    """Say why a promotion cannot be used for a cart; None where it can."""
    if row is None or not row.active:
        return "there is no such code"
    if (row.starts_at and row.starts_at > tx.now) or (row.ends_at and row.ends_at <= tx.now):
        return "the code is not valid now"
    if row.currency is not None and row.currency != currency:
        return "the code is for another currency"
    if row.min_total is not None and items < row.min_total:
        return f"the code needs a cart of at least {row.min_total}"
    if row.max_uses is not None and row.used >= row.max_uses:
        return "the code is used up"
    return None
