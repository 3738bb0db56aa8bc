"""PayPal: RSA over the transmission's id and time, the webhook's id and the body's CRC32.

The certificate is handed in like a secret, or the hub fetches it from PayPal's host and from no
other; what it fetched is believed if its chain ends at a root that was handed in like a secret.
Source: https://developer.paypal.com/api/rest/webhooks/rest/ (read 2026-11).
"""

import base64
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from hub.errors import SignatureError
from hub.model import Json, Request
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, with_headers

PAST = 73 * 3600.0  # PayPal tries for three days; that a retry is signed anew is unchecked
ALGORITHM = b"SHA256withRSA"
PARTS = ("TRANSMISSION-ID", "TRANSMISSION-TIME", "TRANSMISSION-SIG", "CERT-URL", "AUTH-ALGO")
_HOSTS = {False: "api.paypal.com", True: "api.sandbox.paypal.com"}
_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9._-]{1,100}")
_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


class Paypal(Signer):
    """The webhook is known by its id; the secret is PayPal's certificate or its roots, as PEM.

    A CRC32 can be met by another body under a captured signature: coverage is partial.
    """

    webhook_id: str = Field(min_length=1, description="the webhook's id as PayPal's API gives it")
    sandbox: bool = Field(default=False, description="the certificate is the sandbox's")
    certificate: Literal["pinned", "fetched"] = Field(
        default="pinned", description="pinned: the secret is it. fetched: the secret is its roots"
    )

    @classmethod
    def fetches_from(cls, settings: Mapping[str, Json]) -> str | None:
        """Give PayPal's API, where certificates are fetched."""
        fetched = settings.get("certificate") == "fetched"
        return f"https://{_HOSTS[settings.get('sandbox') is True]}" if fetched else None

    @property
    def host(self) -> str:
        """Give the only host whose certificates count."""
        return _HOSTS[self.sandbox]

    def needs(self, request: Request, *, now: float) -> str | None:
        """Give the certificate's path, of a request in which all else is in order."""
        _, _, url = self._read(request, now)
        if self.certificate == "pinned":
            return None
        path = url.removeprefix(f"https://{self.host}")
        if not _PATH.fullmatch(path):
            raise SignatureError("unsupported")
        return path

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check headers, certificate and signature; the certificate's URL must be PayPal's."""
        signature, message, _ = self._read(request, now)
        given, name = schemes.key_of(secret), self._name
        if self.certificate == "pinned":
            leaf = schemes.certificate_of(given, now=now, names=(name,))
        else:
            leaf = schemes.chain(request.fetched, given, now=now, name=name)
        schemes.rsa_sha256(leaf, signature, message)

    def suspect(self, request: Request) -> str | None:
        """See whether it is of the other side."""
        theirs = "live" if self.sandbox else "sandbox"
        other = _HOSTS[not self.sandbox]
        url = request.header("PAYPAL-CERT-URL") or b""
        if not url.startswith(f"https://{other}/".encode()):
            return None
        return f"its certificate is of PayPal's {theirs} side, which this connector is not"

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign with a private key that stands beside the certificate, as in tests."""
        ident = b"69cd13f0-d67a-11e5-baa3-778b53f4ae55"
        stamp = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = self._message(ident, stamp.encode(), request)
        made = base64.b64encode(schemes.rsa_sha256_sign(schemes.key_of(secret), message))
        url = f"https://{self.host}/v1/notifications/certs/CERT-360caa42"
        values = (ident.decode(), stamp, made.decode(), url, ALGORITHM.decode())
        parts = zip(PARTS, values, strict=True)
        return with_headers(request, {f"PAYPAL-{part}": value for part, value in parts})

    def _read(self, request: Request, now: float) -> tuple[bytes, bytes, str]:
        """Give the signature, what it signs, and where its certificate is."""
        names = (f"PAYPAL-{part}" for part in PARTS)
        ident, stamp, sent, url, algorithm = (schemes.the_header(request, n) for n in names)
        found = schemes.certificate_url(url, (self.host,))
        if algorithm != ALGORITHM or b"|" in ident:
            raise SignatureError("unsupported")
        schemes.fresh(_unix(stamp), now=now, past=PAST)
        return schemes.unbase64(sent), self._message(ident, stamp, request), found

    @property
    def _name(self) -> str:
        return f"messageverificationcerts{'.sandbox' if self.sandbox else ''}.paypal.com"

    def _message(self, ident: bytes, stamp: bytes, request: Request) -> bytes:
        checksum = str(zlib.crc32(request.body)).encode()
        return b"|".join((ident, stamp, self.webhook_id.encode(), checksum))


def _unix(stamp: bytes) -> bytes:
    """Give Unix seconds of a time written `2026-03-01T09:31:05Z`."""
    try:
        if not _TIME.match(stamp):
            raise SignatureError("malformed")
        at = datetime.fromisoformat(stamp.decode()).timestamp()
    except (ValueError, OverflowError) as error:
        raise SignatureError("malformed") from error
    return str(int(max(at, 0))).encode()
