"""What a cart comes to: discounts, shipping and taxes to the last minor unit. Pure.

Sums are worked out once and split by largest remainder, so that the lines add up to the total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

WHOLE = 10_000  # rates are in hundredths of a percent
Treatment = Literal["taxed", "exempt", "not_computed"]
EXEMPT = "exempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxes:
    """The rates of the country goods go to; none at all: nobody has said what is taxed.

    Args:
        rates: Tax class to rate; None: the country is not taxed by us.
        included: Prices hold their tax already.
        known: There is a table of taxes.
    """

    rates: Mapping[str, int] | None = None
    included: bool = False
    known: bool = True

    def of(self, tax_class: str) -> tuple[int, Treatment]:
        """Give a class's rate and treatment."""
        if not self.known:
            return 0, "not_computed"
        if self.rates is None or tax_class == EXEMPT:
            return 0, "exempt"
        rate = self.rates.get(tax_class)
        return (0, "not_computed") if rate is None else (rate, "taxed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One taxable thing: a line, or the shipping.

    Args:
        amount: What it costs before discounts.
    """

    amount: int
    tax_class: str
    discount: int = 0
    tax: int = 0
    rate: int = 0
    treatment: Treatment = "not_computed"

    @property
    def base(self) -> int:
        """Give what is left to pay, its tax apart or within."""
        return self.amount - self.discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """What one promotion takes off: `value` is hundredths of a percent, or minor units."""

    code: str
    kind: Literal["percent", "amount", "free_shipping"]
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A cart with everything worked out.

    Args:
        taken: Code to what it took off.
    """

    lines: tuple[Item, ...]
    shipping: Item | None
    included: bool
    taken: Mapping[str, int] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """Give what the lines cost before discounts."""
        return sum(line.amount for line in self.lines)

    @property
    def discount(self) -> int:
        """Give what is taken off the lines."""
        return sum(line.discount for line in self.lines)

    @property
    def shipping_price(self) -> int:
        """Give what the shipping costs."""
        return 0 if self.shipping is None else self.shipping.base

    @property
    def shipping_tax(self) -> int:
        """Give the shipping's tax."""
        return 0 if self.shipping is None else self.shipping.tax

    @property
    def tax(self) -> int:
        """Give all taxes."""
        return sum(line.tax for line in self.lines) + self.shipping_tax

    @property
    def total(self) -> int:
        """Give what is to be paid."""
        return self.items - self.discount + self.shipping_price + (0 if self.included else self.tax)


def price(
    lines: Sequence[Item], shipping: Item | None, offs: Sequence[Off], taxes: Taxes
) -> Priced:  # fmt: skip
    """Work out a cart.

    >>> priced = price([Item(amount=1000, tax_class="a"), Item(amount=500, tax_class="a")], None,
    ...                [Off(code="TEN", kind="percent", value=1000)],
    ...                Taxes(rates={"a": 1900}, included=True))
    >>> priced.total, priced.discount, [line.tax for line in priced.lines]
    (1350, 150, [144, 72])
    """
    taken: dict[str, int] = {}
    left = list(lines)
    for promotion in offs:
        left, taken[promotion.code] = _take_off(left, promotion)
        if promotion.kind == "free_shipping" and shipping is not None:
            taken[promotion.code] = shipping.base
            shipping = replace(shipping, amount=0, discount=0)
    every = _taxed([*left, *([shipping] if shipping else [])], taxes)
    sent = every.pop() if shipping else None
    return Priced(lines=tuple(every), shipping=sent, included=taxes.included, taken=taken)


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Split a sum by weights; what rounding leaves goes to the largest remainders.

    >>> split(100, [1, 1, 1]), split(5, [0, 0])
    ([34, 33, 33], [5, 0])
    """
    whole = sum(weights)
    if whole == 0:
        return [total, *([0] * (len(weights) - 1))] if weights else []
    parts = [total * weight // whole for weight in weights]
    rests = [(-(total * weight % whole), n) for n, weight in enumerate(weights)]
    for _, n in sorted(rests)[: total - sum(parts)]:
        parts[n] += 1
    return parts


def share(amount: int, rate: int, *, included: bool) -> int:
    """Give the tax on, or within, an amount; half a unit is rounded up.

    >>> share(1190, 1900, included=True), share(1000, 1900, included=False)
    (190, 190)
    """
    whole = WHOLE + rate if included else WHOLE
    return (2 * amount * rate + whole) // (2 * whole)


def _take_off(lines: list[Item], promotion: Off) -> tuple[list[Item], int]:
    bases = [line.base for line in lines]
    there = sum(bases)
    wanted = {
        "percent": (2 * there * promotion.value + WHOLE) // (2 * WHOLE),
        "amount": promotion.value,
        "free_shipping": 0,
    }[promotion.kind]
    taken = min(wanted, there)
    parts = split(taken, bases)
    return [
        replace(line, discount=line.discount + part)
        for line, part in zip(lines, parts, strict=True)
    ], taken


def _taxed(items: list[Item], taxes: Taxes) -> list[Item]:
    """Tax what has one rate together, and split that."""
    rated = [(item, *taxes.of(item.tax_class)) for item in items]
    done = [replace(item, rate=rate, treatment=how) for item, rate, how in rated]
    for rate in {item.rate for item in done if item.rate}:
        places = [n for n, item in enumerate(done) if item.rate == rate]
        bases = [done[n].base for n in places]
        whole = share(sum(bases), rate, included=taxes.included)
        for n, part in zip(places, split(whole, bases), strict=True):
            done[n] = replace(done[n], tax=part)
    return done
