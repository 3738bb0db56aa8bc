"""What events tell of payments, refunds, disputes and cases."""

from typing import Any, Literal

from pydantic import MISSING, Field

from hub.payments import Sum
from hub.shop.ledger import PaymentState, RefundState
from hub.shop.shape import Snapshot


class Payment(Snapshot):
    """shop.payment@1; sums are absent while the currency is unknown."""

    id: str
    version: int
    order_id: str | MISSING = MISSING
    connector: str
    method: str | MISSING = MISSING
    provider_ref: str | MISSING = MISSING
    state: PaymentState
    counts: bool
    amount: Sum | MISSING = MISSING
    authorized: Sum | MISSING = MISSING
    captured: Sum | MISSING = MISSING
    refunded: Sum | MISSING = MISSING
    error: str | MISSING = MISSING
    created_at: str


class RefundedLine(Snapshot):
    """How many of an order line a refund is for."""

    line: str
    qty: int


class RefundSnapshot(Snapshot):
    """shop.refund@1; `source` is hub where we asked for it, provider where they began it."""

    id: str
    version: int
    payment_id: str
    order_id: str | MISSING = MISSING
    amount: Sum
    reason: str | MISSING = MISSING
    source: Literal["hub", "provider"]
    state: RefundState
    lines: list[RefundedLine] | MISSING = MISSING
    restock: bool | MISSING = MISSING
    provider_ref: str | MISSING = MISSING
    error: str | MISSING = MISSING
    created_at: str


class Dispute(Snapshot):
    """shop.dispute@1; `state` is the provider's word."""

    id: str
    version: int
    payment_id: str
    order_id: str | MISSING = MISSING
    connector: str
    provider_ref: str
    amount: Sum | MISSING = MISSING
    state: str
    open: bool
    reason: str | MISSING = MISSING
    evidence_due_by: str | MISSING = MISSING
    created_at: str


class Case(Snapshot):
    """shop.case@1."""

    id: str
    version: int
    kind: str
    subject: str
    order_id: str | MISSING = MISSING
    state: Literal["open", "resolved"]
    evidence: dict[str, Any] = Field(default_factory=dict)
    resolution: str | MISSING = MISSING
    note: str | MISSING = MISSING
    created_at: str
