"""The protocol of Stripe's double: keys remembered, lists paged, objects expanded, who may ask.

Source: https://docs.stripe.com/api/idempotent_requests, /api/pagination, /api/expanding_objects.
"""

import base64
import binascii
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.stripe.sandbox_forms import Refusal
from hub import Clock, Json

KEY_WINDOW = 86400  # seconds
BROKEN = {"error": {"type": "api_error", "message": "An unknown error occurred."}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for what: the id in the path, the double's own address, the request and its key."""

    ident: str = ""
    base: str = ""
    request: str | None = None
    key: str | None = None


@dataclass(slots=True)
class Saved:
    """What a key was first used for, and the answer once there is one."""

    asked: Json
    at: float
    status: int = 0
    body: Json = None
    replayed: bool = False


class Keys:
    """Answers by idempotency key; an answer is kept once the work has begun, 500s included.

    Args:
        pace: Seconds a write takes, so that a second one can meet its key in use.
        broken: How many of the next keyed writes do their work but are answered a 500.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock, self.saved = clock, dict[str, Saved]()
        self.pace: float = 0
        self.broken = 0

    async def once(self, key: str | None, asked: Json, act: Callable[[], Json]) -> Saved:
        """Act, or replay what this key was answered.

        Raises:
            Refusal: The key is in use, or was used for something else.
        """
        now = self.clock.now().timestamp()
        if key is None:
            return _tried(Saved(asked, now), act)
        self.saved = {k: s for k, s in self.saved.items() if now - s.at < KEY_WINDOW}
        if (saved := self.saved.get(key)) is not None:
            return _replay(saved, asked)
        saved = self.saved[key] = Saved(asked, now)
        if self.pace:
            await self.clock.sleep(self.pace)
        _tried(saved, act)
        if self.broken:
            self.broken -= 1
            saved.status, saved.body = 500, BROKEN
        return saved


def _tried(saved: Saved, act: Callable[[], Json]) -> Saved:
    try:
        saved.status, saved.body = 200, act()
    except Refusal as refusal:
        saved.status, saved.body = refusal.status, refusal.body()
    return saved


def _replay(saved: Saved, asked: Json) -> Saved:
    if saved.asked != asked:
        text = "Keys for idempotent requests can only be used with the parameters they began with."
        raise Refusal(text, type="idempotency_error")
    if not saved.status:
        text = "There is another request in progress that uses this Idempotency-Key."
        raise Refusal(text, 409, "idempotency_error", "idempotency_key_in_use")
    return Saved(saved.asked, saved.at, saved.status, saved.body, replayed=True)


def authorized(credential: str, path: str = "/") -> None:
    """Refuse a request without a key, or with a revoked one; Basic is as good as Bearer.

    A key that ends in `_revoked` is no key any more; a restricted one (`rk_…`) that ends in
    `_nohooks` may not ask about webhook endpoints.
    """
    scheme, _, value = credential.partition(" ")
    if scheme == "Basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if not value:
        raise Refusal("You did not provide an API key.", status=401)
    if value == "revoked" or value.endswith("_revoked"):
        raise Refusal("Invalid API Key provided: rev***ed", status=401)
    if value.endswith("_nohooks") and "/webhook_endpoints" in path:
        text = "The provided key does not have the required permissions: rak_webhook_read."
        raise Refusal(text, status=403)


def ranged(params: dict[str, Json]) -> dict[str, Json]:
    """Read `created=5` as the moment it names."""
    created = params.get("created")
    exact = {"created": {"gte": created, "lte": created}} if isinstance(created, str) else {}
    return params | exact


def cut(
    things: Iterable[Mapping[str, Json]], params: dict[str, Any], filters: Iterable[str], path: str
) -> Json:
    """Give a page of a list, newest first."""
    found = [thing for thing in things if _fits(thing, params, filters)]
    limit = min(max(params.get("limit", 10), 1), 100)
    ids = [thing["id"] for thing in found]
    if (after := params.get("starting_after")) is not None:
        found = found[_place(ids, after, "starting_after") + 1 :]
    if (before := params.get("ending_before")) is not None:
        found = found[: _place(ids, before, "ending_before")][-limit:]
    return {
        "object": "list",
        "url": path,
        "has_more": len(found) > limit,
        "data": copy.deepcopy(found[:limit]),
    }


def _place(ids: list[str], ident: str, param: str) -> int:
    if ident not in ids:
        raise Refusal(f"No such object: '{ident}'", code="resource_missing", param=param)
    return ids.index(ident)


def _fits(thing: Mapping[str, Json], params: dict[str, Any], filters: Iterable[str]) -> bool:
    at, created = thing["created"], params.get("created", {})
    in_time = (
        at > created.get("gt", -1)
        and at >= created.get("gte", 0)
        and at < created.get("lt", at + 1)
        and at <= created.get("lte", at)
    )
    typed = "types" not in params or thing["type"] in params["types"]
    return in_time and typed and all(thing[f] == params[f] for f in filters if f in params)


def expanded(thing: Json, names: Iterable[str], things: Mapping[str, Json]) -> Json:
    """Give a copy with the named references replaced by what they name, one level deep.

    In a list `data.source` is the `source` of each.
    """
    body = copy.deepcopy(thing)
    for name in names:
        if name.startswith("data.") and isinstance(body.get("data"), list):
            body["data"] = [expanded(one, [name[5:]], things) for one in body["data"]]
            continue
        if name not in body:
            raise Refusal(f"This property cannot be expanded ({name}).", param="expand")
        if isinstance(ident := body[name], str):
            body[name] = copy.deepcopy(things.get(ident, ident))
    return body
