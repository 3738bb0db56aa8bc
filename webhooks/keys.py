"""Public-key signatures: ECDSA P-256, Ed25519, RSA with a certificate. Pure functions on bytes.

Part of the primitives; `webhooks.schemes` gives them to connectors. Whatever the input, only
SignatureError leaves.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hub.errors import SignatureError

if TYPE_CHECKING:  # 3 MB, which only a hub that is told of certificates pays
    from cryptography import x509
    from cryptography.x509.verification import Store

SMALLEST_RSA = 2048
LARGEST_CHAIN, MOST_BETWEEN = 64 << 10, 8
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm)


# -- ECDSA -----------------------------------------------------------------------------------------
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
    except _BROKEN as error:
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
    except _BROKEN as error:
        raise SignatureError("unsupported") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise SignatureError("unsupported")
    return private


# -- Ed25519 ---------------------------------------------------------------------------------------
def ed25519_check(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Raise unless an Ed25519 signature is good; the key is its 32 raw bytes.

    Raises:
        SignatureError: unsupported (no such key) or mismatch.
    """
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
    except _BROKEN as error:
        raise SignatureError("unsupported") from error
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise SignatureError("mismatch") from error


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """Sign as `ed25519_check` checks; the key is its seed of 32 bytes.

    Raises:
        SignatureError: unsupported (no such key).
    """
    return _ed25519_private(seed).sign(message)


def ed25519_public(seed: bytes) -> bytes:
    """Give the 32 bytes of the public key of a seed.

    Raises:
        SignatureError: unsupported (no such key).
    """
    return _ed25519_private(seed).public_key().public_bytes_raw()


def _ed25519_private(seed: bytes) -> ed25519.Ed25519PrivateKey:
    try:
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    except _BROKEN as error:
        raise SignatureError("unsupported") from error


# -- RSA with a certificate ------------------------------------------------------------------------
def rsa_sha256(certificate: "x509.Certificate", signature: bytes, message: bytes) -> None:
    """Raise unless an RSA PKCS #1 v1.5 signature with SHA-256 is good for a certificate's key.

    Raises:
        SignatureError: unsupported (another kind of key, or a short one) or mismatch.
    """
    try:
        key = certificate.public_key()
    except _BROKEN as error:
        raise SignatureError("unsupported") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA:
        raise SignatureError("unsupported")
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("mismatch") from error


def rsa_sha256_sign(private_key: bytes, message: bytes) -> bytes:
    """Sign as `rsa_sha256` checks; the key is PEM.

    Raises:
        SignatureError: unsupported (no RSA private key).
    """
    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except _BROKEN as error:
        raise SignatureError("unsupported") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SignatureError("unsupported")
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def certificate_of(pem: bytes, *, now: float, names: tuple[str, ...]) -> "x509.Certificate":
    """Read the first certificate of a PEM text that is valid now and bears one of these names.

    Its issuer is not asked: a certificate that an admin handed in is trusted as a secret is. One
    that was fetched must pass `chain` first.

    Raises:
        SignatureError: unsupported (no certificate, outside its dates, or of another name).
    """
    from cryptography import x509  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificate(pem[max(pem.find(_CERTIFICATE), 0) :])
        named = set(_names(found)) & {name.lower() for name in names}
        at = datetime.fromtimestamp(now, UTC)
        dated = found.not_valid_before_utc <= at <= found.not_valid_after_utc
    except (*_BROKEN, OverflowError, OSError) as error:
        raise SignatureError("unsupported") from error
    if not (named and dated):
        raise SignatureError("unsupported")
    return found


def chain(pem: bytes, roots: bytes, *, now: float, name: str) -> "x509.Certificate":
    """Give a PEM chain's first certificate, the server's own, if it ends at one of the roots.

    Raises:
        SignatureError: unsupported (unreadable, expired, of another name, or of another root).
    """
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.verification import PolicyBuilder, VerificationError  # noqa: PLC0415

    try:
        leaf, *between = x509.load_pem_x509_certificates(pem[:LARGEST_CHAIN])
        at = datetime.fromtimestamp(now, UTC)
        policy = PolicyBuilder().store(_trusted(roots)).time(at)
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, between[:MOST_BETWEEN])
    except (*_BROKEN, VerificationError, OverflowError, OSError) as error:
        raise SignatureError("unsupported") from error
    return leaf


@lru_cache(maxsize=8)
def _trusted(roots: bytes) -> "Store":
    """Read roots once: a machine's own bundle has over a hundred."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.verification import Store  # noqa: PLC0415

    return Store(x509.load_pem_x509_certificates(roots))


def certificate_url(url: bytes, hosts: tuple[str, ...]) -> str:
    """Give a certificate's URL that may be fetched: https, one of these hosts, and nothing odd.

    To be asked before anything is fetched. The host is compared as it is written: a capital, a
    last dot, a user, a port or a fragment is refused.

    Raises:
        SignatureError: malformed, or unsupported (another scheme or host).
    """
    text = url.decode("ascii", errors="replace")
    if not text.isprintable() or not text.isascii() or set(text) & set("\\ @#"):
        raise SignatureError("malformed")
    if not any(text.startswith(f"https://{host}/") for host in hosts) or ".." in text:
        raise SignatureError("unsupported")
    return text


def _names(certificate: "x509.Certificate") -> list[str]:
    """Give a certificate's names in lower case: the alternative ones, else its common name."""
    from cryptography import x509  # noqa: PLC0415

    try:
        kind = x509.SubjectAlternativeName
        found = certificate.extensions.get_extension_for_class(kind).value
        return [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [str(one.value).lower() for one in common]
