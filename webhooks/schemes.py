"""Signature primitives: pure functions on bytes, from which every provider's scheme is a few lines.

No I/O, no clock, no log, no configuration. Whatever the input, only SignatureError leaves.
Rules for all: candidates (at most 10) are compared by `hmac.compare_digest` on bytes, without
early exit; base64 and hex are strict; times are ASCII digits, bounded both ways; an empty secret
is refused even though the hub would not start with one.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.errors import SignatureError
from hub.model import Request
from hub.secrets import Secret

Coverage = Literal["body", "partial", "none"]
MAX_HEADER = 8192
MAX_CANDIDATES = 10
WINDOW = 300.0
_DIGITS = re.compile(rb"[0-9]{1,16}\Z")


def the_header(request: Request, name: str) -> bytes:
    """Give a header that must be there exactly once, of sane length, in ASCII.

    Raises:
        SignatureError: missing, or malformed.
    """
    sent = [value for key, value in request.headers if key.lower() == name.lower().encode()]
    if not sent or not sent[0].strip():
        raise SignatureError("missing")
    if len(sent) > 1 or len(sent[0]) > MAX_HEADER or not sent[0].isascii() or b"\0" in sent[0]:
        raise SignatureError("malformed")
    return sent[0]


def fresh(
    stamp: bytes, *, now: float, past: float = WINDOW, future: float = WINDOW, unit: float = 1.0
) -> None:
    """Raise unless a signed timestamp lies in the window around our clock.

    Args:
        stamp: Digits as the provider wrote them; hostile until proven.
        now: Unix seconds, UTC.
        past: How many seconds old it may be.
        future: How many seconds ahead it may be.
        unit: Seconds per unit of the stamp: 0.001 for milliseconds.

    Raises:
        SignatureError: malformed, stale or early.
    """
    if not _DIGITS.match(stamp):
        raise SignatureError("malformed")
    age = now - int(stamp) * unit
    if age > past:
        raise SignatureError("stale")
    if age < -future:
        raise SignatureError("early")


def key_of(secret: Secret) -> bytes:
    """Give a secret's bytes; an empty or blank one is refused."""
    if not (value := secret.reveal()).strip():
        raise SignatureError("unsupported")
    return value


def matches(expected: bytes, candidates: Sequence[bytes]) -> None:
    """Raise unless one of the candidates is the expected signature; all are compared.

    Raises:
        SignatureError: missing, too_many or mismatch.
    """
    if not candidates:
        raise SignatureError("missing")
    if len(candidates) > MAX_CANDIDATES:
        raise SignatureError("too_many")
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(expected, candidate)
    if not found:
        raise SignatureError("mismatch")


def hmac_hex(key: bytes, message: bytes, digest: str = "sha256") -> bytes:
    """Give the lower-case hex HMAC."""
    return hmac.new(key, message, digest).hexdigest().encode()


def hmac_b64(key: bytes, message: bytes, digest: str = "sha256") -> bytes:
    """Give the standard base64 HMAC."""
    return base64.b64encode(hmac.digest(key, message, digest))


def sha256_hex(message: bytes) -> bytes:
    """Give the lower-case hex SHA-256."""
    return hashlib.sha256(message).hexdigest().encode()


def unbase64(text: bytes) -> bytes:
    """Decode strict base64: its one canonical spelling.

    Raises:
        SignatureError: malformed.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("malformed") from error
    if base64.b64encode(decoded) != text:  # spare bits that say nothing: a second spelling
        raise SignatureError("malformed")
    return decoded


def pairs(text: bytes, *, sep: bytes = b",") -> list[tuple[bytes, bytes]]:
    """Split `k=v,k=v`; at most 64 pairs.

    Raises:
        SignatureError: malformed (a part without `=`), or too_many.
    """
    parts = text.split(sep)
    if len(parts) > 64:
        raise SignatureError("too_many")
    found = [part.partition(b"=") for part in parts]
    if any(not eq for _, eq, _ in found):
        raise SignatureError("malformed")
    return [(key, value) for key, _, value in found]


def ecdsa_p256(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Raise unless a DER ECDSA signature on P-256 with SHA-256 is good.

    Args:
        public_key: DER SubjectPublicKeyInfo.
        signature: DER, strict.
        message: All that was signed.

    Raises:
        SignatureError: unsupported (not a P-256 key), malformed or mismatch.
    """
    try:
        key = serialization.load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError("unsupported") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise SignatureError("unsupported")
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("mismatch") from error


def ecdsa_p256_sign(private_key: bytes, message: bytes) -> bytes:
    """Sign as `ecdsa_p256` checks, the same each time (RFC 6979); the key is DER PKCS #8.

    Raises:
        SignatureError: unsupported (not a P-256 private key).
    """
    return _p256_private(private_key).sign(
        message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    )


def p256_public(private_key: bytes) -> bytes:
    """Give the DER SubjectPublicKeyInfo of a DER PKCS #8 private key.

    Raises:
        SignatureError: unsupported (not a P-256 private key).
    """
    return (
        _p256_private(private_key)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _p256_private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        private = serialization.load_der_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignatureError("unsupported") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise SignatureError("unsupported")
    return private


@dataclass(frozen=True, slots=True, kw_only=True)
class Hmac:
    """An HMAC over a template of the request, in a header of its own.

    Args:
        header: Where the signature stands, after `prefix`; several signatures by `separator`.
        signed: Template over `{t}` and `{body}`.
        time_header: Where the signed time stands; None where the scheme signs none.
        unit: Seconds per unit of that time.
        encoding: How the signature is written.

    Coverage: body, where `{body}` stands in the template.
    """

    header: str
    signed: str = "{body}"
    time_header: str | None = None
    prefix: str = ""
    separator: str | None = None
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha256", "sha1", "sha512"] = "sha256"
    unit: float = 1.0
    window: float = WINDOW

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Raise SignatureError unless the request is signed with this secret, in time."""
        stamp = b""
        if self.time_header:
            stamp = the_header(request, self.time_header)
            fresh(stamp, now=now, past=self.window, future=self.window, unit=self.unit)
        sent = the_header(request, self.header)
        parts = sent.split(self.separator.encode()) if self.separator else [sent]
        prefix = self.prefix.encode()
        candidates = [p.removeprefix(prefix) for p in parts if p.startswith(prefix)]
        if not candidates:
            raise SignatureError("malformed")
        matches(self._signature(request.body, stamp, secret), candidates)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Give the headers that `verify` accepts."""
        stamp = str(int(now / self.unit)).encode() if self.time_header else b""
        signature = self.prefix + self._signature(body, stamp, secret).decode()
        headers = {self.header: signature}
        return headers | {self.time_header: stamp.decode()} if self.time_header else headers

    def _signature(self, body: bytes, stamp: bytes, secret: Secret) -> bytes:
        message = b"".join(
            {"{t}": stamp, "{body}": body}.get(part, part.encode())
            for part in re.split(r"(\{t\}|\{body\})", self.signed)
        )
        make = hmac_hex if self.encoding == "hex" else hmac_b64
        return make(key_of(secret), message, self.digest)
