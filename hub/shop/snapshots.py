"""Rows to snapshots: what events carry and the API answers. What is unknown is left out."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hub.model import Json, rfc3339
from store import carts, catalog, orders, payments
from store.aggregates import Stored
from store.tx import Tx

PERSON = ("email", "first_name", "last_name", "phone", "locale")
PAID = frozenset({"paid", "partially_refunded"})


def money(amount: int, currency: str) -> dict[str, Json]:
    """Write money as the API does."""
    return {"amount": amount, "currency": currency}


def known(**values: Any) -> dict[str, Json]:
    """Keep what is known, times as RFC 3339."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def _person(row: Stored) -> dict[str, Json]:
    return known(**{name: getattr(row, name) for name in PERSON})


# -- orders ----------------------------------------------------------------------------------------
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
        "fulfilment_status": "unfulfilled",
        "test": bool(row.test),
        "currency": row.currency,
        **{name: money(amount, row.currency) for name, amount in cash.items()},
        "customer": {"id": row.customer_id, "guest": bool(row.guest), **_person(row)},
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
        **known(variant_id=line.variant_id),
    }


# -- money -----------------------------------------------------------------------------------------
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
        **known(order_id=row.order_id, resolution=row.resolution, created_at=row.created_at),
    }


# -- people, carts, catalogue ----------------------------------------------------------------------
def customer_snapshot(row: Stored) -> dict[str, Json]:
    """Give shop.customer@1."""
    return {
        "id": row.id,
        "version": row.version,
        **_person(row),
        **known(created_at=row.created_at),
    }


def cart_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.cart@1, an open cart at today's prices."""
    lines = carts.lines_of(tx, row.id)
    return {
        "id": row.id,
        "version": row.version,
        "state": row.state,
        "currency": row.currency,
        "lines": [_cart_line(line, row.currency) for line in lines],
        "totals": cart_totals(lines, row.currency),
        "metadata": row.metadata,
        **known(
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            customer_id=row.customer_id,
            order_id=row.order_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
        ),
    }


def cart_totals(lines: Iterable[Stored], currency: str) -> dict[str, Json]:
    """Add up a cart; a line without a price adds nothing and cannot be completed."""
    items = sum(line.qty * (line.unit_price or 0) for line in lines)
    nothing = money(0, currency)
    return {
        "items": money(items, currency),
        "discount": nothing,
        "shipping": nothing,
        "tax": nothing,
        "total": money(items, currency),
    }


def _cart_line(line: Stored, currency: str) -> dict[str, Json]:
    about = {
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "qty": line.qty,
    }
    if line.unit_price is None:
        return about
    total = money(line.qty * line.unit_price, currency)
    return about | {"unit_price": money(line.unit_price, currency), "total": total}


def product_snapshot(tx: Tx, row: Stored) -> dict[str, Json]:
    """Give shop.product@1 with its variants, prices and stock."""
    prices = catalog.prices_of(tx, row.id)
    return {
        "id": row.id,
        "version": row.version,
        "title": row.title,
        "status": row.status,
        "variants": [_variant(found, prices) for found in catalog.variants_of(tx, row.id)],
        "metadata": row.metadata,
        **known(external_ref=row.external_ref, created_at=row.created_at),
    }


def _variant(row: Stored, prices: Mapping[str, list[Stored]]) -> dict[str, Json]:
    counted = row.on_hand is not None
    left = row.on_hand + row.backorder_limit - row.reserved if counted else None
    return {
        "id": row.id,
        "sku": row.sku,
        "track_inventory": bool(row.track_inventory),
        "prices": [money(price.amount, price.currency) for price in prices.get(row.id, ())],
        **known(title=row.title, on_hand=row.on_hand, available=left),
    }
