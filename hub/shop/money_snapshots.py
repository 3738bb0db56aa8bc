"""Payments, refunds and cases as events carry and the API answers them."""

from hub.model import Json
from hub.shop.snapshot import known, money
from store.aggregates import Stored


def payment_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.payment@1; `handoff` is never in it."""
    sums = {} if row.currency is None else _sums(row)
    return {
        "id": row.id,
        "version": row.version,
        "connector": row.connector,
        "state": row.state,
        "counts": bool(row.counts),
        **sums,
        **known(
            order_id=row.order_id,
            method=row.method,
            provider_ref=row.provider_ref,
            error=row.error,
            created_at=row.created_at,
        ),
    }


def _sums(row: Stored) -> dict[str, Json]:
    asked = {} if row.amount is None else {"amount": money(row.amount, row.currency)}
    names = ("authorized", "captured", "refunded")
    return asked | {name: money(getattr(row, name), row.currency) for name in names}


def refund_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.refund@1."""
    return {
        "id": row.id,
        "version": row.version,
        "payment_id": row.payment_id,
        "amount": money(row.amount, row.currency),
        "source": row.source,
        "state": row.state,
        **known(
            order_id=row.order_id,
            reason=row.reason,
            lines=row.lines,
            restock=bool(row.restock) if row.lines else None,
            provider_ref=row.provider_ref,
            error=row.error,
            created_at=row.created_at,
        ),
    }


def case_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.case@1."""
    return {
        "id": row.id,
        "version": row.version,
        "kind": row.kind,
        "subject": row.subject,
        "state": row.state,
        "evidence": row.evidence,
        **known(
            order_id=row.order_id,
            resolution=row.resolution,
            note=row.note,
            created_at=row.created_at,
        ),
    }


def dispute_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.dispute@1."""
    cash = None if row.amount is None or row.currency is None else money(row.amount, row.currency)
    return {
        "id": row.id,
        "version": row.version,
        "payment_id": row.payment_id,
        "connector": row.connector,
        "provider_ref": row.provider_ref,
        "state": row.state,
        "open": bool(row.open),
        **known(
            order_id=row.order_id,
            amount=cash,
            reason=row.reason,
            evidence_due_by=row.evidence_due_by,
            created_at=row.created_at,
        ),
    }
