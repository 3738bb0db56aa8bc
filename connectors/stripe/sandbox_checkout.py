"""The hosted pages behind the double: Checkout Sessions, over the bank.

Source: https://docs.stripe.com/api/checkout/sessions (2026-11).
"""

from typing import Any

from connectors.stripe.sandbox_bank import Bank
from connectors.stripe.sandbox_forms import Refusal, need
from hub import Json

DAY = 86400


def create(bank: Bank, params: dict[str, Json], pages: str) -> Json:
    """Open a session for a single payment; its page lies under `pages`."""
    need(params, "mode", "line_items", "success_url")
    lines, until = params["line_items"], params.get("expires_at", bank.now() + DAY)
    if not bank.now() + 1800 <= until <= bank.now() + DAY:
        raise Refusal("expires_at must be 30 minutes to 24 hours from now", param="expires_at")
    total, currency = _total(lines)
    session = bank.make(
        "cs_test", amount_subtotal=total, amount_total=total, cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"), currency=currency,
        customer=params.get("customer"), customer_email=params.get("customer_email"),
        expires_at=until, metadata=params.get("metadata", {}), mode="payment",
        payment_intent=None, payment_method_types=["card"], payment_status="unpaid",
        status="open", success_url=params["success_url"],
    )  # fmt: skip
    session["url"] = f"{pages}/{session['id']}"
    bank.wanted[session["id"]] = params.get("payment_intent_data", {})
    bank.note("checkout_session", session["id"], params)
    return session


def _total(lines: Json) -> tuple[int, str]:
    """Add up the lines, which must be of one currency."""
    for n, line in enumerate(lines):
        need(line, "quantity", "price_data")
        need(line["price_data"], "currency", "unit_amount", "product_data")
        if line["quantity"] < 1 or line["price_data"]["unit_amount"] < 0:
            raise Refusal("Invalid quantity or unit_amount", param=f"line_items[{n}]")
    currencies = {line["price_data"]["currency"] for line in lines}
    if len(currencies) != 1:
        raise Refusal("All line items must be of one currency", param="line_items")
    return sum(x["quantity"] * x["price_data"]["unit_amount"] for x in lines), currencies.pop()


def find(bank: Bank, ident: str) -> dict[str, Any]:
    """Give a session, expired if its time has come."""
    session = bank.get(ident, "checkout.session", "session")
    if session["status"] == "open" and session["expires_at"] <= bank.now():
        _end(bank, session)
    return session


def expire(bank: Bank, ident: str) -> Json:
    """Expire an open session."""
    session = find(bank, ident)
    if session["status"] != "open":
        raise Refusal("Only Checkout Sessions with a status of open can be expired.")
    bank.note("expire", ident, {})
    return _end(bank, session)


def _end(bank: Bank, session: dict[str, Any]) -> Json:
    session |= {"status": "expired", "url": None}
    bank.tell("checkout.session.expired", session)
    return session


def pay(bank: Bank, ident: str, method: str) -> Json:
    """Let the buyer pay on the session's page; a declined card leaves it open."""
    session = find(bank, ident)
    if session["status"] != "open":
        raise Refusal("This Checkout Session is no longer open.")
    if session["payment_intent"] is None:
        wanted = {"amount": session["amount_total"], "currency": session["currency"]}
        session["payment_intent"] = bank.new_intent(wanted | bank.wanted[ident])["id"]
    intent = bank.pay(bank.things[session["payment_intent"]], method)
    if intent["status"] in {"succeeded", "requires_capture"}:
        paid = "paid" if intent["status"] == "succeeded" else "unpaid"
        session |= {"status": "complete", "payment_status": paid, "url": None}
        bank.tell("checkout.session.completed", session)
    return session
