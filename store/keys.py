"""API keys: 256 random bits, given out once, known by their SHA-256 from then on."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.errors import HubError
from hub.ids import new_id
from store.schema import api_keys
from store.tx import Tx

ROLES = ("admin", "shop", "support", "readonly")
SEEN_EVERY = timedelta(minutes=1)
_SCOPE = re.compile(r"[a-z][a-z-]{1,40}(:read)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key; never the key.

    Args:
        scopes: The resources it is kept to (`orders`, or `orders:read`); none: all its role may.
    """

    id: str
    role: str
    scopes: tuple[str, ...]
    title: str | None
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


def create_key(
    tx: Tx, role: str, title: str | None = None, *, scopes: Sequence[str] = ()
) -> Mapping[str, str]:
    """Make a key; its text is in this answer and nowhere else.

    Raises:
        HubError: There is no such role, or a scope is none.
    """
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise HubError(f"'{scope}' is no scope: a resource such as orders, or orders:read")
    if role not in ROLES:
        raise HubError(f"no role '{role}' (have: {', '.join(ROLES)})")
    key = f"hub_{role}_{secrets.token_urlsafe(32)}"
    made = {"id": new_id("key", tx.now), "role": role}
    kept = {
        "title": title,
        "scopes": " ".join(scopes) or None,
        "hash": _hash(key),
        "created_at": tx.now,
    }
    tx.run(insert(api_keys), made | kept)
    return made | {"key": key}


def revoke_key(tx: Tx, key_id: str) -> bool:
    """End a key at once; False where there is no such key, or it was ended before."""
    live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    return tx.run(update(api_keys).where(live).values(revoked_at=tx.now)) == 1


def touch_key(tx: Tx, key_id: str) -> None:
    """Note that a key was used."""
    tx.run(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=tx.now))


async def find_key(connection: AsyncConnection, key: str) -> ApiKey | None:
    """Give the living key whose text this is."""
    live = (api_keys.c.hash == _hash(key)) & api_keys.c.revoked_at.is_(None)
    found = await connection.execute(select(api_keys).where(live))
    row = found.mappings().first()
    return None if row is None else _read(row)


async def list_keys(connection: AsyncConnection) -> list[ApiKey]:
    """Give every key, ended ones too, oldest first."""
    found = await connection.execute(select(api_keys).order_by(api_keys.c.id))
    return [_read(row) for row in found.mappings()]


def due_to_touch(key: ApiKey, now: datetime) -> bool:
    """Say whether the last noted use is so old that a new one is worth a write."""
    return key.last_used_at is None or now - key.last_used_at >= SEEN_EVERY


def _read(row: RowMapping) -> ApiKey:
    kept: dict[str, Any] = {name: row[name] for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**kept, "scopes": tuple((row["scopes"] or "").split())})


def _hash(key: str) -> bytes:
    # A plain hash is enough: there are 256 random bits to guess, not a password.
    return hashlib.sha256(key.encode()).digest()
