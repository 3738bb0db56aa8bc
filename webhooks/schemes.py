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
from urllib.parse import parse_qsl

from hub.effects import Coverage
from hub.errors import SignatureError
from hub.model import Request
from hub.secrets import Secret
from webhooks.keys import (
    certificate_of,
    certificate_url,
    chain,
    ecdsa_p256,
    ecdsa_p256_sign,
    ed25519_check,
    ed25519_public,
    ed25519_sign,
    p256_public,
    rsa_sha256,
    rsa_sha256_sign,
)

__all__ = [
    "WINDOW", "Coverage", "Hmac", "KeyForm", "basic_auth", "certificate_of", "certificate_url",
    "chain", "ecdsa_p256", "ecdsa_p256_sign", "ed25519_check", "ed25519_public", "ed25519_sign",
    "form", "fresh", "headers_of", "hmac_b64", "hmac_hex", "key_bytes", "key_of", "matches",
    "p256_public", "pairs", "query_value", "rsa_sha256", "rsa_sha256_sign", "sha256_hex",
    "signed_url", "the_header", "unbase64", "unhex",
]  # fmt: skip

MAX_HEADER = 8192
MAX_CANDIDATES = 10
WINDOW = 300.0
MAX_PARAMETERS = 200
KeyForm = Literal["text", "hex", "base64"]
_DIGITS = re.compile(rb"[0-9]{1,16}\Z")
_HEX = re.compile(rb"[0-9a-f]*\Z")
_FIELD = re.compile(r"(\{(?:t|id|url|method|body)\})")
_URL = re.compile(rb"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+\Z")


def the_header(request: Request, name: str) -> bytes:
    """Give a header that must be there exactly once, of sane length, in ASCII.

    Raises:
        SignatureError: missing, or malformed.
    """
    first, *more = headers_of(request, name)
    if more:
        raise SignatureError("malformed")
    return first


def headers_of(request: Request, name: str) -> list[bytes]:
    """Give every value of a header that may be sent more than once; at most 10, each sane.

    Raises:
        SignatureError: missing, malformed or too_many.
    """
    wanted = name.lower().encode()
    sent = [value for key, value in request.headers if key.lower() == wanted]
    if not sent or not sent[0].strip():
        raise SignatureError("missing")
    if len(sent) > MAX_CANDIDATES:
        raise SignatureError("too_many")
    if any(len(one) > MAX_HEADER or not one.isascii() or b"\0" in one for one in sent):
        raise SignatureError("malformed")
    return sent


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


def key_bytes(secret: Secret, written: KeyForm) -> bytes:
    """Give a key as HMAC takes it, from how the provider writes it; never an empty one."""
    text = key_of(secret)
    try:
        if written == "hex":
            text = bytes.fromhex(text.decode())
        elif written == "base64":
            text = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SignatureError("unsupported") from error
    if not text:
        raise SignatureError("unsupported")
    return text


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


def unhex(text: bytes) -> bytes:
    """Decode lower-case hex.

    Raises:
        SignatureError: malformed.
    """
    if len(text) % 2 or not _HEX.match(text):
        raise SignatureError("malformed")
    return bytes.fromhex(text.decode())


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


# -- URLs and parameters ---------------------------------------------------------------------------
def signed_url(request: Request) -> bytes:
    """Give the configured URL and the query sent, as a provider signs them.

    Where nothing parts a URL from what is signed behind it, the query must not be able to hold
    the head of a body: whatever RFC 3986 does not allow in a URL is refused.

    Raises:
        SignatureError: malformed.
    """
    url = _raw(request.url)
    if not _URL.match(url):
        raise SignatureError("malformed")
    return url


def form(data: bytes) -> list[tuple[str, str]]:
    """Read form parameters, or a query, in the order sent; at most 200, in UTF-8.

    Raises:
        SignatureError: malformed or too_many.
    """
    if data.count(b"&") >= MAX_PARAMETERS:
        raise SignatureError("too_many")
    try:
        return parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:  # UnicodeError is one
        raise SignatureError("malformed") from error


def query_value(request: Request, name: str) -> bytes:
    """Give a parameter of the query that must be there exactly once, and not be empty.

    Raises:
        SignatureError: missing or malformed.
    """
    query = _raw(request.url).partition(b"?")[2]
    found = [value for key, value in form(query) if key == name]
    if not found or not found[0]:
        raise SignatureError("missing")
    if len(found) > 1:
        raise SignatureError("malformed")
    return found[0].encode()


def _raw(url: str) -> bytes:
    try:
        return url.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise SignatureError("malformed") from error


# -- shared secrets --------------------------------------------------------------------------------
def basic_auth(request: Request, secret: Secret) -> None:
    """Raise unless HTTP Basic credentials are those of the secret, written `user:password`.

    Raises:
        SignatureError: unsupported (the secret has no colon), missing, malformed or mismatch.
    """
    pair = key_of(secret)
    if b":" not in pair:
        raise SignatureError("unsupported")
    matches(b"Basic " + base64.b64encode(pair), [the_header(request, "Authorization")])


# -- HMAC over a template --------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Hmac:
    """An HMAC over a template of the request, in a header of its own.

    Args:
        header: Where the signature stands, after `prefix`; several signatures by `separator`.
        signed: Template over `{t}`, `{id}`, `{url}`, `{method}` and `{body}`.
        time_header: Where the signed time stands; None where the scheme signs none.
        time_prefix: The time stands in `header` itself, in a part that begins so.
        time_digits: Digits the time must have: needed where nothing parts it from the body.
        id_header: Where `{id}` stands.
        unit: Seconds per unit of that time.
        window: Seconds the time may be old or ahead.
        encoding: How the signature is written.
        key: How the secret is written.

    Coverage: body, where `{body}` stands in the template.
    """

    header: str
    signed: str = "{body}"
    time_header: str | None = None
    time_prefix: str | None = None
    time_digits: int | None = None
    id_header: str | None = None
    prefix: str = ""
    separator: str | None = None
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha256", "sha1", "sha512"] = "sha256"
    key: KeyForm = "text"
    unit: float = 1.0
    window: float = WINDOW

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Raise SignatureError unless the request is signed with this secret, in time."""
        sent = the_header(request, self.header)
        parts = sent.split(self.separator.encode()) if self.separator else [sent]
        stamp = self._stamp(request, parts)
        if self.timed:
            fresh(stamp, now=now, past=self.window, future=self.window, unit=self.unit)
        prefix = self.prefix.encode()
        candidates = [p.removeprefix(prefix) for p in parts if p.startswith(prefix)]
        if not candidates:
            raise SignatureError("malformed")
        ident = the_header(request, self.id_header) if self.id_header else b""
        matches(self._signature(request, stamp, ident, secret), candidates)

    def sign(
        self, body: bytes, secret: Secret, *, now: float, url: str = "", ident: str = "msg_1"
    ) -> Mapping[str, str]:
        """Give the headers that `verify` accepts, for a POST of this body to `url`."""
        stamp = str(int(now / self.unit)) if self.timed else ""
        request = Request(method="POST", url=url, headers=(), body=body)
        made = self._signature(request, stamp.encode(), ident.encode(), secret).decode()
        value = f"{self.prefix}{made}"
        if self.time_prefix:
            value = f"{self.time_prefix}{stamp}{self.separator or ','}{value}"
        headers = {self.header: value}
        headers |= {self.time_header: stamp} if self.time_header else {}
        return headers | ({self.id_header: ident} if self.id_header else {})

    @property
    def timed(self) -> bool:
        """Say whether a time is signed."""
        return self.time_header is not None or self.time_prefix is not None

    def _stamp(self, request: Request, parts: Sequence[bytes]) -> bytes:
        stamp = the_header(request, self.time_header) if self.time_header else b""
        if self.time_prefix:
            prefix = self.time_prefix.encode()
            found = [part.removeprefix(prefix) for part in parts if part.startswith(prefix)]
            if len(found) != 1:
                raise SignatureError("malformed" if found else "missing")
            stamp = found[0]
        if self.time_digits and len(stamp) != self.time_digits:
            raise SignatureError("malformed")
        return stamp

    def _signature(self, request: Request, stamp: bytes, ident: bytes, secret: Secret) -> bytes:
        url = signed_url(request) if "{url}" in self.signed else b""
        values = {
            "{t}": stamp, "{id}": ident, "{url}": url, "{body}": request.body,
            "{method}": request.method.encode("ascii", "replace"),
        }  # fmt: skip
        message = b"".join(values.get(part, part.encode()) for part in _FIELD.split(self.signed))
        make = hmac_hex if self.encoding == "hex" else hmac_b64
        return make(key_bytes(secret, self.key), message, self.digest)
