"""Encryption at rest: AES-256-GCM, one byte of key id, 12 random bytes of nonce, the text.

The additional data names table, column and row, so a ciphertext moved to another row does not
open. Random nonces: never compare or search what this makes. Source: NIST SP 800-38D.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import ConfigError, Fault, HubError
from hub.secrets import Secret

NONCE = 12


class Cipher:
    """Seals with the first key, opens with any.

    Args:
        keys: 32 bytes each, as base64.

    Raises:
        ConfigError: A key is not 32 bytes of base64, there is none, or two have the same id.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        raw = list(dict.fromkeys(_key(secret) for secret in keys))
        if not raw:
            raise ConfigError(Fault(code="secret.weak", text="store.encryption_keys is empty"))
        self._keys = {_key_id(key): AESGCM(key) for key in raw}
        if len(self._keys) < len(raw):
            text = "two of store.encryption_keys cannot be told apart by their first byte"
            fix = "make the new one again: hub secrets new"
            raise ConfigError(Fault(code="secret.alike", text=text, fix=fix))
        self._first = _key_id(raw[0])
        self._blinding = hashlib.sha256(b"shop-hub blinding" + raw[0]).digest()

    @property
    def first(self) -> bytes:
        """The id of the key that seals: the first byte of whatever it sealed."""
        return self._first

    @property
    def ids(self) -> frozenset[bytes]:
        """The ids of the keys that open."""
        return frozenset(self._keys)

    def seal(self, value: bytes, where: str) -> bytes:
        """Encrypt; `where` is `table.column:row id`."""
        nonce = os.urandom(NONCE)
        key = self._keys[self._first]
        return self._first + nonce + key.encrypt(nonce, value, where.encode())

    def open(self, sealed: bytes, where: str) -> bytes:
        """Decrypt.

        Raises:
            HubError: The key is unknown, or the value was changed or moved.
        """
        key = self._keys.get(sealed[:1])
        if key is None:
            raise HubError(f"{where} is sealed with a key that store.encryption_keys lacks")
        try:
            return key.decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], where.encode())
        except InvalidTag as error:
            raise HubError(f"{where} was changed, moved, or sealed with another key") from error

    def blind(self, value: str) -> bytes:
        """Give 16 bytes that are the same for the same value, and tell nothing without the key."""
        return hmac.digest(self._blinding, value.encode(), "sha256")[:16]


def new_key() -> str:
    """Make a key as `store.encryption_keys` wants it."""
    return base64.b64encode(os.urandom(32)).decode()


def _key(secret: Secret) -> bytes:
    try:
        key = base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        text = f"the encryption key {secret.name} must be 32 bytes in base64"
        raise ConfigError(Fault(code="secret.weak", text=text, fix="hub secrets new"))
    return key


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"shop-hub key id" + key).digest()[:1]
