"""Mollie: next-generation webhooks are signed; classic ones bring an id and nothing else.

Source: https://docs.mollie.com/reference/webhooks-new and /webhooks (read 2026-11).
"""

from dataclasses import replace

from pydantic import Field

from hub.model import Request
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, Word, with_headers

HEADER = "X-Mollie-Signature"


class Mollie(Signer):
    """Next-generation webhooks."""

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the header, which may come once for each secret; without it nothing is classic."""
        sent = schemes.headers_of(request, HEADER)
        expected = schemes.hmac_hex(schemes.key_of(secret), request.body)
        schemes.matches(expected, [one.removeprefix(b"sha256=") for one in sent])

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign the body."""
        made = schemes.hmac_hex(schemes.key_of(secret), request.body).decode()
        return with_headers(request, {HEADER: f"sha256={made}"})


class MollieClassic(Signer):
    """Classic webhooks: a URL for each payment, with an HMAC of ours over one parameter."""

    parameter: Word = Field(default="t", description="the parameter that holds the HMAC, in hex")
    signs: Word = Field(default="order", description="the parameter that it signs")

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check `?order=ord_…&t=<hex HMAC-SHA256 of ord_…>`."""
        signed = schemes.query_value(request, self.signs)
        sent = schemes.query_value(request, self.parameter)
        schemes.matches(schemes.hmac_hex(schemes.key_of(secret), signed), [sent])

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Add both parameters to the URL that Mollie is given."""
        made = schemes.hmac_hex(schemes.key_of(secret), b"ord_1").decode()
        query = f"{self.signs}=ord_1&{self.parameter}={made}"
        return replace(request, url=f"{request.url.partition('?')[0]}?{query}")
