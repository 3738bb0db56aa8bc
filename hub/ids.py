"""Ids that leave the hub: a prefix and 26 time-ordered characters (48 bits time, 80 random)."""

import base64
import os
import threading
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, lower case: sorts as it counts
_LETTERS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
_lock = threading.Lock()
_last = 0


def new_id(prefix: str, now: datetime) -> str:
    """Make an id such as `job_01k…`; later ids of one process always sort later.

    >>> len(new_id("job", datetime(2026, 1, 1)))
    30
    """
    global _last  # noqa: PLW0603 -- one counter per process keeps ids of one millisecond in order
    number = (int(now.timestamp() * 1000) << 80) | int.from_bytes(os.urandom(10))
    with _lock:
        # Within the last id's millisecond (or a clock set back) count on from it.
        _last = number = number if number >> 80 > _last >> 80 else _last + 1 + number % (1 << 40)
    return f"{prefix}_{_base32(number)}"


def _base32(number: int) -> str:
    # 130 bits are 26 letters; what fills up the 20 bytes that 32 letters take is cut off.
    return base64.b32encode((number << 30).to_bytes(20))[:26].translate(_LETTERS).decode()


def made_at(ident: str) -> datetime | None:
    """Read when an id was made; None where it is none of ours.

    >>> made_at(new_id("job", datetime(2026, 1, 1, tzinfo=UTC))).year
    2026
    """
    text = ident.rpartition("_")[2]
    if len(text) != 26 or not set(text) <= set(ALPHABET) or text[0] not in "01234567":
        return None
    number = 0
    for letter in text:
        number = number << 5 | ALPHABET.index(letter)
    return datetime.fromtimestamp((number >> 80) / 1000, UTC)
