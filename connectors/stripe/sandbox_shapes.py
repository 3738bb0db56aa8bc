"""The parameters the double knows, by operation; all others are refused by name.

Source: https://docs.stripe.com/api, version 2026-10-28.endive.
"""

from connectors.stripe.sandbox_forms import TEXTS, Shape

COMMON: dict[str, Shape] = {"expand": [str], "metadata": TEXTS}
CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")

INTENT = COMMON | {
    "amount": int,
    "currency": str,
    "automatic_payment_methods": {"enabled": bool, "allow_redirects": ("always", "never")},
    "capture_method": CAPTURE_METHODS,
    "confirm": bool,
    "customer": str,
    "description": str,
    "payment_method": str,
    "payment_method_types": [str],
    "receipt_email": str,
    "return_url": str,
    "statement_descriptor_suffix": str,
}
CONFIRM = {"expand": [str], "payment_method": str, "receipt_email": str, "return_url": str}
CAPTURE = COMMON | {"amount_to_capture": int, "final_capture": bool}
CANCEL = {"expand": [str], "cancellation_reason": ("abandoned", *REASONS)}
PRICE = {
    "currency": str,
    "unit_amount": int,
    "product_data": {"name": str, "description": str, "images": [str], "metadata": TEXTS},
    "tax_behavior": ("exclusive", "inclusive", "unspecified"),
}
SESSION = COMMON | {
    "mode": ("payment",),
    "cancel_url": str,
    "client_reference_id": str,
    "customer": str,
    "customer_email": str,
    "expires_at": int,
    "line_items": [{"quantity": int, "price_data": PRICE}],
    "locale": str,
    "payment_intent_data": {
        "capture_method": CAPTURE_METHODS,
        "description": str,
        "metadata": TEXTS,
        "receipt_email": str,
    },
    "payment_method_types": [str],
    "success_url": str,
}
EXPAND = {"expand": [str]}
REFUND = COMMON | {"amount": int, "charge": str, "payment_intent": str, "reason": REASONS}
LIST: dict[str, Shape] = {
    "created": {"gt": int, "gte": int, "lt": int, "lte": int},
    "ending_before": str,
    "expand": [str],
    "limit": int,
    "starting_after": str,
}
FILTERS = {
    "payment_intent": ("customer",),
    "checkout.session": ("customer", "payment_intent", "status"),
    "charge": ("customer", "payment_intent"),
    "refund": ("charge", "payment_intent"),
    "event": ("type",),
    "balance_transaction": ("currency", "source", "type"),
    "webhook_endpoint": (),
}


def listing(kind: str) -> dict[str, Shape]:
    """Give the shape of a list's parameters."""
    shape = LIST | dict.fromkeys(FILTERS[kind], str)
    return shape | ({"types": [str]} if kind == "event" else {})
