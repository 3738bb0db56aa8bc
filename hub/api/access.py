"""Who calls: the bearer key, its role, and whether the endpoint lets it."""

import contextlib

from aiohttp import web

from hub.api.endpoint import PUBLIC, Api, Endpoint
from hub.errors import NotStored, Refused
from store import keys
from store.keys import ApiKey

LONGEST = 200


async def let_in(api: Api, endpoint: Endpoint, request: web.Request) -> ApiKey:
    """Give the key's record.

    Raises:
        Refused: No living key was sent, or its role or scopes do not reach the endpoint.
    """
    if endpoint.may == PUBLIC:
        return _anyone(api)
    who = await _identify(api, request)
    if who.role not in endpoint.may:
        have = ", ".join(endpoint.may)
        raise Refused("forbidden", f"the key's role is {who.role}; this takes one of: {have}")
    if not _within(who, endpoint):
        raise Refused("forbidden", f"the key is kept to: {', '.join(who.scopes)}")
    if keys.due_to_touch(who, api.clock.now()):
        with contextlib.suppress(NotStored):  # a note of use must not fail a read
            await api.store.write(lambda tx: keys.touch_key(tx, who.id))
    return who


async def is_known(api: Api, request: web.Request) -> bool:
    """Say whether a living key was sent, whatever it may do; without a store none is known."""
    try:
        await _identify(api, request)
    except (Refused, NotStored):
        return False
    return True


def _anyone(api: Api) -> ApiKey:
    """Give what stands for a caller without a key."""
    now = api.clock.now()
    return ApiKey(
        id="anyone", role="anyone", scopes=(), title=None, created_at=now, revoked_at=None,
        last_used_at=now,
    )  # fmt: skip


def _within(who: ApiKey, endpoint: Endpoint) -> bool:
    """Say whether a key's scopes reach an endpoint; the first word of its path is its resource."""
    resource = endpoint.path.split("/")[1]
    reads = endpoint.method == "GET" and f"{resource}:read" in who.scopes
    return not who.scopes or resource in who.scopes or reads


async def _identify(api: Api, request: web.Request) -> ApiKey:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    key = text.strip()
    if kind.lower() != "bearer" or not key or len(key) > LONGEST:
        raise Refused("unauthenticated", "send Authorization: Bearer <key>")
    # aiohttp decodes headers with surrogateescape; such a key is nobody's.
    if not key.isascii():
        raise Refused("unauthenticated", "the key is not known")
    async with api.store.read() as connection:
        who = await keys.find_key(connection, key)
    if who is None:
        raise Refused("unauthenticated", "the key is not known, or was revoked")
    return who
