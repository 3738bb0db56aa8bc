"""What Stripe is asked: the hub's inputs as request parameters. Pure; equal inputs, equal bodies.

Source: https://docs.stripe.com/api, version 2026-10-28.endive.
"""

from connectors.stripe.money import to_stripe
from hub import Capture, Json, Pay, Refund, Reject

CANCEL_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})
REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})


def intent(item: Pay, job: str, *, receipts: bool) -> Json:
    """Ask for a PaymentIntent that any method the account has switched on may pay."""
    body: dict[str, Json] = {
        "amount": to_stripe(item.amount),
        "currency": item.amount.currency.lower(),
        "capture_method": item.capture,
        "automatic_payment_methods": {"enabled": True},
        "metadata": _marks(item, job),
    }
    return body | ({"receipt_email": item.email} if receipts and item.email else {})


def session(item: Pay, job: str) -> Json:
    """Ask for a Checkout Session whose total is the order's amount, whatever its lines say.

    Raises:
        Reject: There is no page to send the buyer back to.
    """
    if not item.return_url:
        raise Reject("a checkout needs a return_url", errors={"return_url": "is missing"})
    marks = _marks(item, job)
    body: dict[str, Json] = {
        "mode": "payment",
        "line_items": _lines(item),
        "success_url": item.return_url,
        "cancel_url": item.return_url,
        "client_reference_id": item.order,
        "metadata": marks,
        "payment_intent_data": {"capture_method": item.capture, "metadata": marks},
    }
    return body | ({"customer_email": item.email} if item.email else {})


def capture(item: Capture, job: str) -> Json:
    """Ask for an authorized payment's money, all or part; marked, so that it can be found."""
    body: dict[str, Json] = {"metadata": {"hub_capture": job}}
    return body | ({"amount_to_capture": to_stripe(item.amount)} if item.amount else {})


def cancel(item: Capture) -> Json:
    """Give a payment up; a reason Stripe has no word for is left out."""
    return {"cancellation_reason": item.reason} if item.reason in CANCEL_REASONS else {}


def refund(item: Refund, payment: str, job: str) -> Json:
    """Give money back; a reason Stripe has no word for is left out."""
    body: dict[str, Json] = {
        **about(payment),
        "amount": to_stripe(item.amount),
        "metadata": {"hub_job": job, "hub_order": item.order, "hub_refund": item.refund},
    }
    return body | ({"reason": item.reason} if item.reason in REFUND_REASONS else {})


def about(payment: str) -> dict[str, Json]:
    """Name an intent or a charge as refunds are made and listed by it."""
    return {"charge" if payment.startswith("ch_") else "payment_intent": payment}


def _marks(item: Pay, job: str) -> dict[str, str]:
    return {
        "hub_job": job,
        "hub_order": item.order,
        "hub_order_version": str(item.order_version),
        "hub_payment": item.payment,
    }


def _lines(item: Pay) -> list[Json]:
    """Show the order's lines where they add up to its amount, else one line for all of it.

    Shipping, taxes and discounts are part of the amount but are no lines.
    """
    total = sum(line.qty * line.unit_price.amount for line in item.lines)
    currencies = {line.unit_price.currency for line in item.lines}
    if total == item.amount.amount and currencies == {item.amount.currency}:
        return [_line(x.title, x.qty, to_stripe(x.unit_price), item) for x in item.lines]
    return [_line(f"Order {item.order}", 1, to_stripe(item.amount), item)]


def _line(title: str, qty: int, price: int, item: Pay) -> Json:
    price_data = {
        "currency": item.amount.currency.lower(),
        "unit_amount": price,
        "product_data": {"name": title},
    }
    return {"quantity": qty, "price_data": price_data}
