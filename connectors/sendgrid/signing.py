"""The signature of SendGrid's Event Webhook: ECDSA P-256 over timestamp + raw body.

Coverage: body, the trailing CRLF included. Window: 25 h back, since SendGrid tries for 24 h and
whether a retry is signed anew is not known; 300 s ahead. Nothing separates time from body, so the
time must be exactly ten digits.

A secret is a base64 DER key: the public key (SubjectPublicKeyInfo) as SendGrid shows it, or, for
the sandbox and tests, a private key (PKCS #8), which signs and stands for its public half.
Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events (read 2026-11).
"""

import base64
from collections.abc import Mapping

from hub import Request, Secret, SignatureError, schemes

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
PAST, FUTURE = 25 * 3600.0, 300.0
DIGITS = 10


def verify(request: Request, secret: Secret, *, now: float) -> None:
    """Raise SignatureError unless the request is signed with this key, in time."""
    stamp = schemes.the_header(request, TIMESTAMP)
    if len(stamp) != DIGITS:
        raise SignatureError("malformed")
    schemes.fresh(stamp, now=now, past=PAST, future=FUTURE)
    signature = schemes.unbase64(schemes.the_header(request, SIGNATURE))
    schemes.ecdsa_p256(_public(secret), signature, stamp + request.body)


def sign(body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
    """Give the headers SendGrid would send; needs a private key as the secret.

    Raises:
        SignatureError: unsupported (the secret is a public key, or none).
    """
    stamp = f"{int(now):0{DIGITS}d}"
    signature = schemes.ecdsa_p256_sign(_key(secret), stamp.encode() + body)
    return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: stamp}


def _public(secret: Secret) -> bytes:
    key = _key(secret)
    try:
        return schemes.p256_public(key)
    except SignatureError:
        return key


def _key(secret: Secret) -> bytes:
    try:
        return base64.b64decode(schemes.key_of(secret).strip(), validate=True)
    except ValueError as error:
        raise SignatureError("unsupported") from error
