"""What the hub asks of every payment connector: the inputs of its seven members."""

from pydantic import BaseModel, ConfigDict, Field


class Sum(BaseModel):
    """Money at the edge: integer minor units and an ISO 4217 code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(ge=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class PayLine(BaseModel):
    """One line of an order, for hosted checkout pages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    qty: int
    unit_price: Sum


class Pay(BaseModel):
    """Ask for an order's money: `create_payment` or, on a hosted page, `create_checkout`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    order_version: int = 1
    payment: str
    amount: Sum
    capture: str = Field(default="automatic", pattern="^(automatic|manual)$")
    email: str | None = None
    return_url: str | None = None
    lines: tuple[PayLine, ...] = ()


class Capture(BaseModel):
    """Capture an authorized payment (`capture_payment`), or give it up (`cancel_payment`).

    `ref` is the provider's id of the payment; `amount` None means all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    ref: str
    amount: Sum | None = None
    reason: str | None = None


class Refund(BaseModel):
    """Give money back on a captured payment; `refund` is our refund's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    refund: str
    ref: str
    amount: Sum
    reason: str | None = None


class Find(BaseModel):
    """Read a payment as it is now (`retrieve_payment`); its outcome carries the facts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: str
    order: str | None = None
