"""/v1/webhook-endpoints: who is sent our signed webhooks. A secret is shown once.

What is sent is the feed, event by event: see hub.subscribers. Deliveries: hub.api.deliveries.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hub.api import once
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Do, Endpoints
from hub.api.events import check_type
from hub.api.webhook_models import (
    EndpointChange,
    Gone,
    Input,
    NewEndpoint,
    Note,
    Order,
    Rotation,
    WebhookEndpoint,
    WebhookEndpoints,
)
from hub.errors import Refused, Reject
from hub.ids import new_id
from hub.model import Json, rfc3339
from hub.secrets import Secret
from hub.subscribers import Ordered, SigningKey, Subscriber
from store import subscribers
from store.subscribers import Kept
from store.tx import Tx
from webhooks.deliver import new_key, public_key

webhook_endpoints = Endpoints()
MOST_KEYS = 4


# -- make and read ---------------------------------------------------------------------------------
@webhook_endpoints.post(
    "/webhook-endpoints",
    may=SHOP,
    takes=NewEndpoint,
    gives={201: WebhookEndpoint},
    refuses=("url_not_allowed",),
)
async def add_endpoint(ask: Ask) -> Answer:
    """Subscribe a URL to events; the answer shows the secret, and no later one does."""
    item: NewEndpoint = ask.item
    _may_call(ask, item.url)
    _known(ask, item.types)
    secret = Secret(item.secret, "new") if item.secret else _new(asymmetric=item.asymmetric)

    def work(tx: Tx) -> Answer:
        made = Subscriber(
            id=new_id("we", tx.now),
            url=item.url,
            types=item.types,
            ordered=_ordered(item.ordered),
            origins=item.origins,
            keys=(SigningKey(secret=secret),),
        )
        return _answer(subscribers.add(tx, made, description=item.description), 201, secret)

    return await once.change(ask, work)


@webhook_endpoints.get("/webhook-endpoints", may=EVERYONE, gives={200: WebhookEndpoints})
async def list_endpoints(ask: Ask) -> Answer:
    """List all webhook endpoints, those of config.yaml too."""
    found = await ask.api.store.look(subscribers.all_kept)
    return Answer(body={"items": [shown(kept) for kept in found], "next": None})


@webhook_endpoints.get("/webhook-endpoints/{id}", may=EVERYONE, gives={200: WebhookEndpoint})
async def get_endpoint(ask: Ask) -> Answer:
    """Give one webhook endpoint and how it does."""
    return _answer(await ask.api.store.look(lambda tx: subscribers.kept(tx, ask.part("id"))))


# -- change ----------------------------------------------------------------------------------------
@webhook_endpoints.patch(
    "/webhook-endpoints/{id}",
    may=SHOP,
    takes=EndpointChange,
    gives={200: WebhookEndpoint},
    refuses=("url_not_allowed", "invalid_transition"),
)
async def change_endpoint(ask: Ask) -> Answer:
    """Change where a webhook endpoint is, or what it wants; what waits goes to the new URL."""
    item: EndpointChange = ask.item
    given = item.model_fields_set
    if item.url is not None:
        _may_call(ask, item.url)
    _known(ask, item.types or ())

    def work(tx: Tx) -> Answer:
        kept = _own(tx, ask)
        ask.match.check(kept)
        named = {n: v for n in ("url", "types", "origins") if (v := getattr(item, n)) is not None}
        if item.ordered is not None:
            named["ordered"] = _ordered(item.ordered)
        about = item.description if "description" in given else kept.description
        changed = replace(kept.subscriber, **named)
        return _answer(subscribers.change(tx, changed, description=about))

    return await once.change(ask, work)


@webhook_endpoints.delete(
    "/webhook-endpoints/{id}", may=SHOP, gives={200: Gone}, refuses=("invalid_transition",)
)
async def delete_endpoint(ask: Ask) -> Answer:
    """Forget a webhook endpoint; deliveries that wait end `skipped (endpoint gone)`."""

    def work(tx: Tx) -> Answer:
        ident = _own(tx, ask).subscriber.id
        subscribers.remove(tx, ident)
        return Answer(body={"id": ident, "deleted": True}, subject=ident)

    return await once.change(ask, work)


def _acts(path: str, takes: type[Input], **more: object) -> Callable[[Do], Do]:
    return webhook_endpoints.post(
        f"/webhook-endpoints/{{id}}/{path}",
        may=SHOP,
        takes=takes,
        gives={200: WebhookEndpoint},
        **more,
    )


@_acts("rotate-secret", Rotation, refuses=("invalid_transition",))
async def rotate_secret(ask: Ask) -> Answer:
    """Give it a new secret, shown once; until the overlap ends, old and new both sign."""
    item: Rotation = ask.item

    def work(tx: Tx) -> Answer:
        kept = _own(tx, ask)
        to, until = kept.subscriber, tx.now + timedelta(seconds=item.overlap)
        living = [key for key in to.keys if key.until is None or key.until > tx.now]
        old = [replace(key, until=min(key.until or until, until)) for key in living]
        asymmetric = public_key(to.keys[0].secret) is not None
        secret = Secret(item.secret, "new") if item.secret else _new(asymmetric=asymmetric)
        keys = (SigningKey(secret=secret), *old)[:MOST_KEYS]
        made = subscribers.change(tx, replace(to, keys=keys), description=kept.description)
        return _answer(made, secret=secret)

    return await once.change(ask, work)


@_acts("disable", Note)
async def disable_endpoint(ask: Ask) -> Answer:
    """Deliver nothing until it is enabled; what happens meanwhile is kept for it."""
    reason = ask.item.note or "disabled by its owner"

    def work(tx: Tx) -> Answer:
        ident = ask.part("id")
        subscribers.disable(tx, ident, reason=reason, by=ask.who.id)
        return _answer(subscribers.kept(tx, ident))

    return await once.change(ask, work)


@_acts("enable", Note)
async def enable_endpoint(ask: Ask) -> Answer:
    """Deliver again, what was kept first."""

    def work(tx: Tx) -> Answer:
        ident = ask.part("id")
        subscribers.enable(tx, ident, by=ask.who.id)
        return _answer(subscribers.kept(tx, ident))

    return await once.change(ask, work)


# -- inside ----------------------------------------------------------------------------------------
def _own(tx: Tx, ask: Ask) -> Kept:
    """Hold a webhook endpoint that the API may change."""
    kept = subscribers.lock(tx, ask.part("id"))
    if kept.subscriber.managed == "config":
        raise Refused("invalid_transition", "it stands in config.yaml: change it there")
    return kept


def _may_call(ask: Ask, url: str) -> None:
    try:
        ask.api.may_call(url)
    except Reject as error:
        raise Refused("url_not_allowed", str(error)) from error


def _known(ask: Ask, types: tuple[str, ...]) -> None:
    for place, name in enumerate(types):
        check_type(ask, name, {"pointer": f"/types/{place}"})


def _new(*, asymmetric: bool) -> Secret:
    return new_key(os.urandom(32), asymmetric=asymmetric)


def _ordered(asked: Order) -> Ordered:
    return asked if isinstance(asked, str) else "aggregate" if asked else "no"


def _answer(kept: Kept, status: int = 200, secret: Secret | None = None) -> Answer:
    body = shown(kept)
    if secret is not None:
        body["secret"] = secret.text()
    place = {"Location": f"/v1/webhook-endpoints/{kept.subscriber.id}"} if status == 201 else {}
    return Answer(
        body=body, status=status, subject=kept.subscriber.id, version=kept.version, headers=place
    )


def shown(kept: Kept) -> dict[str, Json]:
    """Give a webhook endpoint without its secrets."""
    to = kept.subscriber
    times = ("disabled_at", "failing_since", "created_at", "updated_at")
    return {
        "id": to.id,
        "url": to.url,
        "description": kept.description,
        "types": list(to.types),
        "ordered": to.ordered,
        "origins": sorted(to.origins),
        "managed": to.managed,
        "enabled": kept.disabled_at is None,
        "disabled_reason": kept.disabled_reason,
        "version": kept.version,
        "public_keys": [public for k in to.keys if (public := public_key(k.secret))],
        **{name: rfc3339(at) if (at := getattr(kept, name)) else None for name in times},
    }
