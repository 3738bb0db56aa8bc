"""Money between the hub and Stripe: the only place where the two disagree on minor units.

Source: https://docs.stripe.com/currencies (read 2026-11); support.stripe.com "fractional ISK".
"""

from hub import Reject, Sum

THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
TIMES_100 = frozenset({"ISK"})  # ISO 4217: no decimals; Stripe: two, always zero
BY_100 = frozenset({"MGA"})  # ISO 4217: two decimals; Stripe: none
UNSETTLED = frozenset({"UGX"})  # Stripe's pages disagree on its decimals


def to_stripe(money: Sum) -> int:
    """Give the amount as Stripe counts it.

    Raises:
        Reject: Stripe cannot take exactly this amount, or its unit is not settled.
    """
    amount, currency = money.amount, money.currency
    if currency in UNSETTLED:
        raise Reject(f"{currency} is not supported", errors={"currency": "decimals not settled"})
    if currency in TIMES_100:
        return amount * 100
    whole = 10 if currency in THREE_DECIMALS else 100 if currency in BY_100 else 1
    if amount % whole:
        text = f"must be a multiple of {whole} in {currency}"
        raise Reject(f"amount {text}", errors={"amount": text})
    return amount // 100 if currency in BY_100 else amount


def from_stripe(amount: int, currency: str) -> int | None:
    """Give Stripe's amount in ISO 4217 minor units; None where that cannot be said exactly.

    >>> from_stripe(50000, "isk"), from_stripe(1099, "eur"), from_stripe(5, "ugx")
    (500, 1099, None)
    """
    code = currency.upper()
    if code in UNSETTLED or (code in TIMES_100 and amount % 100):
        return None
    if code in TIMES_100:
        return amount // 100
    return amount * 100 if code in BY_100 else amount
