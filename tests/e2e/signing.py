"""Stripe's signature, made by hand from the vendor's page, independent of the hub's code.

Source: https://docs.stripe.com/webhooks/signature (read 2026-11).
"""

import hashlib
import hmac
import time

from hub.secrets import Secret


def stripe_signed(body: bytes, secret: Secret, *, ago: float = 0) -> dict[str, str]:
    """Give the headers of a webhook signed so many seconds ago."""
    at = str(int(time.time() - ago))
    mac = hmac.new(secret.text().encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={mac}", "Content-Type": "application/json"}
