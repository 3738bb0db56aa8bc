"""Mandrill, which signs its URL and one form parameter, and Mailgun, which signs next to nothing.

Source: https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/ and
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks (2026-11).
"""

import hashlib
import re
from typing import ClassVar
from urllib.parse import urlencode

from hub.errors import SignatureError
from hub.model import Request, read_json, write_json
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, bytes_of, object_of, text_of, with_headers

SIGNATURE, EVENTS = "X-Mandrill-Signature", "mandrill_events"
DIGITS = 10
_TOKEN = re.compile(r"[0-9a-f]{50}")


class Mandrill(Signer):
    """HMAC-SHA1 over the URL, the parameter's name and its value; no other may stand beside it."""

    texts: ClassVar[frozenset[str]] = frozenset({EVENTS})

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the header."""
        sent = schemes.the_header(request, SIGNATURE)
        schemes.matches(_mandrill(request, secret), [sent])

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign a form; a body that is none becomes the parameter's value."""
        if not request.body.startswith(f"{EVENTS}=".encode()):
            request = request.with_body(urlencode({EVENTS: request.body}).encode())
        return with_headers(request, {SIGNATURE: _mandrill(request, secret).decode()})

    def greet(self, request: Request) -> bytes | None:
        """Answer the HEAD by which Mandrill sees whether the address is there."""
        return b"" if request.method == "HEAD" else None


class Mailgun(Signer):
    """Time and token are signed, nothing else; the token must be remembered: it is the id."""

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the body's `signature`; ten digits of time, so that none moves to the token."""
        found = object_of(request.body).get("signature")
        given = found if isinstance(found, dict) else {}
        parts = [text_of(given.get(name)) for name in ("timestamp", "token", "signature")]
        stamp, token, sent = parts
        if not all(parts):
            raise SignatureError("missing")
        if len(stamp) != DIGITS or not _TOKEN.fullmatch(token):
            raise SignatureError("malformed")
        schemes.fresh(bytes_of(stamp), now=now)
        expected = schemes.hmac_hex(schemes.key_of(secret), bytes_of(stamp + token))
        schemes.matches(expected, [bytes_of(sent)])

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Put time, token and signature into the body."""
        stamp = f"{int(now):0{DIGITS}d}"
        token = hashlib.sha256(request.body).hexdigest()[:50]
        made = schemes.hmac_hex(schemes.key_of(secret), f"{stamp}{token}".encode()).decode()
        signature = {"timestamp": stamp, "token": token, "signature": made}
        return request.with_body(write_json(read_json(request.body) | {"signature": signature}))


def _mandrill(request: Request, secret: Secret) -> bytes:
    params = schemes.form(request.body)
    if [name for name, _ in params] != [EVENTS]:
        raise SignatureError("malformed")
    message = schemes.signed_url(request) + bytes_of("".join(params[0]))
    return schemes.hmac_b64(schemes.key_of(secret), message, "sha1")
