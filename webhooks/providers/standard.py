"""Standard Webhooks: HMAC `v1` or Ed25519 `v1a` over `id.timestamp.body`, also as svix-* headers.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md (read 2026-11).
"""

import base64

from hub.errors import SignatureError
from hub.model import Request
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, with_headers

PARTS = ("id", "timestamp", "signature")


class Standard(Signer):
    """The secret says which version counts: `v1a` for `whpk_…` and `whsk_…`, else `v1`."""

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the version of the secret; the others in the list are passed over."""
        own = any(name.lower() == b"webhook-id" for name, _ in request.headers)
        names = (f"{'webhook' if own else 'svix'}-{part}" for part in PARTS)
        ident, stamp, sent = (schemes.the_header(request, name) for name in names)
        schemes.fresh(stamp, now=now)
        message = b".".join((ident, stamp, request.body))
        kind, key = key_of(secret)
        found = _signatures(sent, b"v1," if kind == "whsec" else b"v1a,")
        if kind == "whsec":
            return schemes.matches(schemes.hmac_b64(key, message), found)
        public = schemes.ed25519_public(key) if kind == "whsk" else key
        return _any_of(public, found, message)

    def suspect(self, request: Request) -> str | None:
        """See whether it is signed in the other version."""
        sent = request.header("webhook-signature") or request.header("svix-signature") or b""
        versions = {one.partition(b",")[0] for one in sent.split(b" ")}
        for here, there, key in ((b"v1", b"v1a", "whpk_…"), (b"v1a", b"v1", "whsec_…")):
            if versions == {there}:
                return f"signed as {there.decode()}, not {here.decode()}: its secret begins {key}"
        return None

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Sign; `v1a` needs the private key, `whsk_…`."""
        ident, stamp = "msg_1", str(int(now))
        message = f"{ident}.{stamp}.".encode() + request.body
        kind, key = key_of(secret)
        if kind == "whsec":
            signature = "v1," + schemes.hmac_b64(key, message).decode()
        elif kind == "whsk":
            made = schemes.ed25519_sign(key, message)
            signature = "v1a," + base64.b64encode(made).decode()
        else:
            raise SignatureError("unsupported")
        values = zip(PARTS, (ident, stamp, signature), strict=True)
        return with_headers(request, {f"webhook-{part}": value for part, value in values})


def key_of(secret: Secret) -> tuple[str, bytes]:
    """Give a secret's kind and bytes: `whsec` (also without its prefix), `whpk` or `whsk`.

    Raises:
        SignatureError: unsupported.
    """
    prefix, _, rest = schemes.key_of(secret).rpartition(b"_")
    kind = prefix.decode(errors="replace") or "whsec"
    raw = schemes.key_bytes(Secret(rest, secret.name), "base64")
    if kind not in ("whsec", "whpk", "whsk"):
        raise SignatureError("unsupported")
    return kind, raw[:32] if kind == "whsk" else raw  # the public half may follow the seed


def _signatures(sent: bytes, version: bytes) -> list[bytes]:
    listed = sent.split(b" ")
    found = [one.removeprefix(version) for one in listed if one.startswith(version)]
    if not found:
        raise SignatureError("unsupported" if b"," in sent else "malformed")
    if len(found) > schemes.MAX_CANDIDATES:
        raise SignatureError("too_many")
    return found


def _any_of(public: bytes, found: list[bytes], message: bytes) -> None:
    """Raise unless one of the signatures is good; all are tried."""
    good = False
    for one in [schemes.unbase64(one) for one in found]:
        try:
            schemes.ed25519_check(public, one, message)
        except SignatureError as error:
            if error.reason != "mismatch":
                raise
        else:
            good = True
    if not good:
        raise SignatureError("mismatch")
