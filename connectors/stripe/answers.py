"""What Stripe's refusals mean: the rows that differ from the hub's default table.

Source: https://docs.stripe.com/api/errors, /error-low-level, /api/idempotent_requests (2026-11).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.stripe import facts
from hub import Ambiguous, Answer, CallError, Json, PaymentFact, Reject, Retry, read_json


def classify(answer: Answer) -> CallError | None:
    """Read an answer that is no 2xx; what Stripe itself did not word is left to the table.

    `Stripe-Should-Retry` overrides the row, but makes no rate limit and no bad key final.
    """
    headers = {name.lower(): value for name, value in answer.headers.items()}
    status, again = answer.status, headers.get("stripe-should-retry")
    if status >= 500:
        final = again == "false" or headers.get("idempotent-replayed") == "true"
        return Ambiguous(f"stripe: status {status}, for good", final=True) if final else None
    error = _error(answer.body)
    if not error or status in {401, 403, 408, 425}:
        return None
    locked = status == 409 or (status == 429 and error.get("code") == "lock_timeout")
    if again == "true" or (locked and again != "false"):
        return Retry(f"stripe: status {status}", after=_after(headers))
    return None if status == 429 else _reject(status, error, headers)


def _reject(status: int, error: Mapping[str, Json], headers: Mapping[str, str]) -> Reject:
    """Name type and code; the message goes to the fields, where it may be shown."""
    words = [str(error[word]) for word in ("type", "code", "decline_code") if error.get(word)]
    if error.get("type") == "idempotency_error":
        words.append("(one key, two requests: a fault of the hub)")
    text = " ".join(["stripe:", str(status), *words])
    errors = {str(error.get("param") or ""): str(error.get("message") or "refused")}
    return Reject(text, errors=errors, facts=tuple(_declined(error, headers)))


def _declined(error: Mapping[str, Json], headers: Mapping[str, str]) -> list[PaymentFact]:
    """Read the failed attempt out of a card error that names its intent."""
    intent = error.get("payment_intent")
    if error.get("type") != "card_error" or not isinstance(intent, dict) or not intent.get("id"):
        return []
    attempt = intent | {
        "last_payment_error": {k: v for k, v in error.items() if k != "payment_intent"}
    }
    return list(facts.attempt_failed(attempt, _date(headers, intent)))


def _error(body: bytes) -> Mapping[str, Json]:
    try:
        found = read_json(body)
    except ValueError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _after(headers: Mapping[str, str]) -> float | None:
    after = headers.get("retry-after", "")
    return float(after) if after.isascii() and after.isdigit() else None


def _date(headers: Mapping[str, str], intent: Mapping[str, Json]) -> datetime:
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError):
        return datetime.fromtimestamp(intent.get("created") or 0, UTC)
