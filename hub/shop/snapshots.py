"""Orders as events carry and the API answers them."""

from hub.model import Json
from hub.shop.snapshot import known, money, person
from store import aggregates, fulfilments, orders, payments
from store.aggregates import Stored
from store.tx import Tx

PAID = frozenset({"paid", "partially_refunded"})


def order_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.order@1."""
    cash = {
        "total": row.total,
        "items_total": row.items,
        "discount": row.discount,
        "shipping": row.shipping,
        "tax": row.tax,
        "captured": row.captured,
        "refunded": row.refunded,
    }
    return {
        "id": row.id,
        "number": row.number,
        "version": row.version,
        "status": order_status(row),
        "lifecycle": row.lifecycle,
        "payment_status": row.payment_status,
        "fulfilment_status": row.fulfilment_status,
        "test": bool(row.test),
        "currency": row.currency,
        **{name: money(amount, row.currency) for name, amount in cash.items()},
        "customer": {"id": row.customer_id, "guest": bool(row.guest), **person(row)},
        "lines": [_order_line(line, row.currency) for line in orders.lines_of(tx, row.id)],
        "payments": [
            {
                "connector": paid.connector,
                "provider_ref": paid.provider_ref,
                "amount": money(paid.captured or paid.amount or 0, row.currency),
            }
            for paid in payments.of_order(tx, row.id)
            if paid.provider_ref and paid.counts
        ],
        "metadata": row.metadata,
        **known(
            created_at=row.created_at,
            placed_at=row.placed_at,
            paid_at=row.paid_at,
            billing_address=row.billing_address,
            shipping_address=row.shipping_address,
            external_ref=row.external_ref,
            coupon={"code": row.coupon} if row.coupon else None,
        ),
    }


def order_view(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give an order as the API answers it: its snapshot and what only the shop's people need."""
    sums = ("authorized", "charged_back")
    return {
        **order_snapshot(tx, row),
        **{name: money(getattr(row, name), row.currency) for name in sums},
        "hold_reasons": row.hold_reasons,
        "origin": row.origin,
        **known(
            expires_at=row.expires_at,
            authorized_at=row.authorized_at,
            updated_at=row.updated_at,
            held_because=row.staff_hold,
            shipping_code=row.shipping_code,
            cancel_reason=row.cancel_reason,
            cancelled_at=row.cancelled_at,
            closed_at=row.closed_at,
        ),
    }


def order_status(row: Stored) -> str:
    """Say in one word, for people and CRMs, where an order stands."""
    if row.lifecycle in {"cancelled", "expired", "draft"}:
        return str(row.lifecycle)
    if row.payment_status == "refunded":
        return "refunded"
    if row.lifecycle in {"on_hold", "closed"}:
        return str(row.lifecycle)
    if row.fulfilment_status in {"fulfilled", "partially_returned", "returned"}:
        return "fulfilled"
    return "paid" if row.payment_status in PAID else "pending_payment"


def _order_line(line: Stored, currency: str) -> dict[str, Json]:
    return {
        "id": line.id,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
        "unit_price": money(line.unit_price, currency),
        "discount": money(line.discount, currency),
        "tax": money(line.tax, currency),
        "total": money(line.total, currency),
        "gift": bool(line.gift),
        "qty_fulfilled": line.qty_fulfilled,
        "qty_returned": line.qty_returned,
        **known(variant_id=line.variant_id),
    }


def fulfilment_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.fulfilment@1."""
    order = aggregates.get(tx, "order", row.order_id)
    if order is None:
        raise LookupError(f"no order {row.order_id}")
    steps = ("packed_at", "shipped_at", "delivered_at", "cancelled_at", "returned_at")
    return {
        "id": row.id,
        "version": row.version,
        "order_id": order.id,
        "order_number": order.number,
        "state": row.state,
        "customer": {"id": order.customer_id, "guest": bool(order.guest), **person(order)},
        "lines": [
            {
                "line": line.order_line_id,
                "sku": line.sku,
                "title": line.title,
                "qty": line.qty,
                "qty_returned": line.qty_returned,
            }
            for line in fulfilments.lines_of(tx, row.id)
        ],
        "metadata": row.metadata,
        **known(
            carrier=row.carrier,
            tracking=row.tracking,
            shipping_address=order.shipping_address,
            created_at=row.created_at,
            **{name: getattr(row, name) for name in steps},
        ),
    }
