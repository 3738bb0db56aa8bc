"""HubSpot's webhooks: signatures over the public URL, and arrays of changes.

A 401 loses the delivery (400, 401, 403, 404 and 405 are not sent again; unchecked, forum 2019).
Source: https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/
request-validation and https://developers.hubspot.com/docs/api-reference/webhooks (2026-03).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub import PERSONAL, Event, Request, Secret, SignatureError, schemes

Version = Literal["v3", "v2", "v1"]

SIGNATURE, TIME = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
OLD_SIGNATURE, OLD_VERSION = "X-HubSpot-Signature", "X-HubSpot-Signature-Version"
MILLISECOND = 0.001
MOST_EVENTS = 100
OBJECTS = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-8": "line_item"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMING = ("portalId", "subscriptionId", "eventId", "objectId", "occurredAt", "propertyName")

# v3 signs the URL with these escapes, and no others, undone.
_ESCAPES = {
    b"%3a": b":", b"%2f": b"/", b"%3f": b"?", b"%40": b"@", b"%21": b"!", b"%24": b"$",
    b"%27": b"'", b"%28": b"(", b"%29": b")", b"%2a": b"*", b"%2c": b",", b"%3b": b";",
}  # fmt: skip
_ESCAPE = re.compile(b"|".join(_ESCAPES), re.IGNORECASE)


class Change(BaseModel):
    """One change in the CRM as HubSpot reports it; kinds differ in what else they carry."""

    model_config = ConfigDict(extra="allow")

    portalId: int  # noqa: N815 -- the provider's word
    subscriptionId: int  # noqa: N815 -- the provider's word
    subscriptionType: str  # noqa: N815 -- the provider's word
    eventId: int  # noqa: N815 -- the provider's word
    occurredAt: int  # noqa: N815 -- the provider's word; milliseconds
    objectId: int | None = None  # noqa: N815 -- the provider's word
    propertyName: str | None = None  # noqa: N815 -- the provider's word
    propertyValue: str | None = Field(default=None, json_schema_extra=PERSONAL)  # noqa: N815 -- the provider's word


EMITS: Mapping[str, type[BaseModel] | None] = {
    f"{kind}.{what}": Change
    for kind in ("contact", "deal", "line_item")
    for what in ("creation", "propertyChange", "deletion", "merge", "restore", "associationChange")
} | {"contact.privacyDeletion": Change}


def verify(request: Request, secret: Secret, *, now: float, version: Version) -> None:
    """Raise SignatureError unless the client secret signed this request, in this version only.

    Coverage: v3 and v2 method, URL and body; v1 the body. v2 and v1 carry no time, so they are
    accepted only where the connector is set to them, never beside v3.
    """
    if version != "v3":
        return _verify_old(request, secret, version)
    stamp = schemes.the_header(request, TIME)
    schemes.fresh(stamp, now=now, unit=MILLISECOND)
    sent = schemes.the_header(request, SIGNATURE)
    message = _bytes(request.method) + decoded(request.url) + request.body + stamp
    return schemes.matches(schemes.hmac_b64(schemes.key_of(secret), message), [sent])


def suspect(request: Request, version: Version) -> str | None:
    """Say whether a refused request is signed in another version than is set."""
    if version == "v3" and request.header(SIGNATURE) is None and request.header(OLD_SIGNATURE):
        sent = (request.header(OLD_VERSION) or b"").decode("latin-1")
        theirs = sent if sent in ("v1", "v2") else "v1 or v2"
        return f"signed in HubSpot's version {theirs}, which carries no time; this takes v3"
    if version != "v3" and request.header(OLD_SIGNATURE) is None and request.header(SIGNATURE):
        return f"signed in HubSpot's version v3: take signature: {version} out of settings"
    return None


def sign(
    body: bytes, secret: Secret, *, now: float, url: str, version: Version
) -> Mapping[str, str]:
    """Sign a POST of this body to `url` as HubSpot does."""
    if version != "v3":
        signature = _old_signature(b"POST", url, body, secret, version)
        return {OLD_SIGNATURE: signature.decode(), OLD_VERSION: version}
    stamp = str(int(now * 1000))
    message = b"POST" + decoded(url) + body + stamp.encode()
    signature = schemes.hmac_b64(schemes.key_of(secret), message)
    return {SIGNATURE: signature.decode(), TIME: stamp}


def decoded(url: str) -> bytes:
    """Undo the twelve escapes HubSpot undoes before it signs.

    >>> decoded("https://shop.example/a%2Fb?q=%40%20x")
    b'https://shop.example/a/b?q=@%20x'
    """
    return _ESCAPE.sub(lambda found: _ESCAPES[found[0].lower()], _bytes(url))


def parse(request: Request) -> Iterable[Event]:
    """Yield one event per change.

    Raises:
        ValueError: It is no array of at most 100 changes.
    """
    changes = request.json()
    if not isinstance(changes, list) or len(changes) > MOST_EVENTS:
        raise ValueError("not an array of at most 100 changes")
    return [_event(change) for change in changes]


def _event(change: Any) -> Event:
    match change:
        case {"subscriptionType": str(), "occurredAt": int(at)} if 0 <= at < 10**14:
            when = _EPOCH + timedelta(milliseconds=at)
            return Event(type=_type(change), at=when, ext_id=_identity(change), data=change)
    raise ValueError("a change without its type or time")


def _type(change: dict[str, Any]) -> str:
    """Give `deal.creation` for a generic `object.creation` of deals too."""
    kind, dot, what = str(change["subscriptionType"]).partition(".")
    if kind == "object":
        kind = OBJECTS.get(str(change.get("objectTypeId")), kind)
    return kind + dot + what


def _identity(change: dict[str, Any]) -> str:
    """Name a change; `eventId` alone is not unique.

    Source: webhooks page, generic subscriptions.
    """
    between = f"{change.get('fromObjectId')}-{change.get('toObjectId')}"
    defaults = {"objectId": between} if "fromObjectId" in change else {}
    parts = [change.get(name, defaults.get(name)) for name in _NAMING]
    return ":".join("" if part is None else str(part) for part in parts)


def _verify_old(request: Request, secret: Secret, version: Version) -> None:
    if schemes.the_header(request, OLD_VERSION) != version.encode():
        raise SignatureError("unsupported")
    sent = schemes.the_header(request, OLD_SIGNATURE)
    method = _bytes(request.method)
    schemes.matches(_old_signature(method, request.url, request.body, secret, version), [sent])


def _old_signature(method: bytes, url: str, body: bytes, secret: Secret, version: Version) -> bytes:
    about = method + _bytes(url) if version == "v2" else b""
    return schemes.sha256_hex(schemes.key_of(secret) + about + body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # whatever a request holds, nothing is raised
