"""The sub-application /v1, made of the tables of endpoints: let in, read, do, answer."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial

from aiohttp import web

from hub.api import docs, matching, openapi, problems, quota
from hub.api.access import is_known, let_in
from hub.api.carts import carts
from hub.api.cases import cases
from hub.api.config import config
from hub.api.customers import customers
from hub.api.deliveries import deliveries
from hub.api.endpoint import PUBLIC, Answer, Api, Ask, Endpoint
from hub.api.events import events
from hub.api.forms import forms
from hub.api.fulfilments import fulfilments
from hub.api.jobs import jobs
from hub.api.order_steps import order_steps
from hub.api.orders import orders
from hub.api.payments import payments
from hub.api.products import products
from hub.api.promotions import promotions
from hub.api.reading import decode, parse, read_body, read_query
from hub.api.stock import stock
from hub.api.stream import ends_with, stream
from hub.api.webhook_endpoints import webhook_endpoints
from hub.api.webhooks import webhooks
from hub.config import Config
from hub.model import Json, write_json
from hub.shop.versions import ANY

WORTH_PACKING = 1024
ENDPOINTS: tuple[Endpoint, ...] = (
    *stream, *forms, *customers, *products, *promotions, *stock, *carts, *orders, *order_steps,
    *payments, *fulfilments, *cases, *events, *jobs, *webhooks, *config,
    *webhook_endpoints, *deliveries,
)  # fmt: skip
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def api_app(
    current: Callable[[], Api], endpoints: Iterable[Endpoint] = ENDPOINTS
) -> web.Application:
    """Make what the composition root mounts at /v1.

    Args:
        current: Gives what is in force when a request comes; it is that request's to its end.
    """
    app = web.Application(middlewares=[problems.middleware(current().clock)])
    ends_with(app)
    for endpoint in endpoints:
        handle = _handle(current, endpoint)
        if endpoint.method == "GET":
            app.router.add_get(endpoint.path, handle)  # HEAD comes with it
        else:
            app.router.add_route(endpoint.method, endpoint.path, handle)
    return app


def public_routes(
    version: str, current: Callable[[], Config], api: Callable[[], Api]
) -> list[web.RouteDef]:
    """Give what anyone may read, for the root: /openapi.json, /docs, /problems/<code>.

    Args:
        current: Gives the configuration in force, whose events and actions are told who has a key.
    """

    async def knows(request: web.Request) -> bool:
        return await is_known(api(), request)

    return [
        web.get("/problems/{code}", problems.page, name="problem"),
        *docs.routes(partial(openapi.document, ENDPOINTS, version), current, knows),
    ]


def _handle(current: Callable[[], Api], endpoint: Endpoint) -> Handle:
    async def handle(request: web.Request) -> web.StreamResponse:
        api = current()
        with nullcontext() if endpoint.method == "GET" else api.carrying(request):
            ask = await _ask(api, endpoint, request)
            answer = await endpoint.do(ask)
            return answer if isinstance(answer, web.StreamResponse) else _respond(ask, answer)

    return handle


async def _ask(api: Api, endpoint: Endpoint, request: web.Request) -> Ask:
    """Let the caller in, then read what was sent; in this order, so strangers learn nothing."""
    who = await let_in(api, endpoint, request)
    if endpoint.may != PUBLIC:
        quota.spend(api, who, request)
    query = read_query(endpoint.query, request)
    value, item = None, None
    if endpoint.takes is not None:
        raw = await read_body(request)
        value = decode(raw)
        item = parse(endpoint.takes, raw, value)
    match = matching.read(request) if endpoint.matches else ANY
    return Ask(
        api=api,
        endpoint=endpoint,
        request=request,
        who=who,
        request_id=request[problems.REQUEST_ID],
        query=query,
        item=item,
        value=value,
        match=match,
    )


def _respond(ask: Ask, answer: Answer) -> web.Response:
    headers = answer.all_headers()
    kind = headers.pop("Content-Type", "application/json")
    body = write_json(_with_handoff(answer.body, answer.handoff))
    if ask.endpoint.kept_for is not None:
        headers |= _caching(body, answer.version, ask.endpoint.kept_for)
    tag = headers.get("ETag")
    if ask.endpoint.conditional and tag is not None and _known(ask.request, tag):
        kept: dict[str, str] = {n: headers[n] for n in ("ETag", "Cache-Control") if n in headers}
        return web.Response(status=304, headers=kept)
    made = web.Response(status=answer.status, body=body, content_type=kind, headers=headers)
    if len(body) >= WORTH_PACKING:
        made.headers["Vary"] = "Accept-Encoding"
        made.enable_compression()  # where the caller takes it
    return made


def _caching(body: bytes, version: int | None, seconds: int) -> dict[str, str]:
    """Let a caller keep an answer: its tag tells of the body, and of the version to change."""
    digest = hashlib.sha256(body).hexdigest()[:16]
    tag = f'W/"{digest}"' if version is None else f'"{version}.{digest}"'
    return {"ETag": tag, "Cache-Control": f"private, max-age={seconds}"}


def _with_handoff(body: Json, handoff: Mapping[str, str] | None) -> Json:
    if not handoff:
        return body
    return body | {"payment": body["payment"] | dict(handoff)}


def _known(request: web.Request, tag: str) -> bool:
    """Say whether If-None-Match names the tag; weak comparison, as reads have it (RFC 9110)."""
    sent = ",".join(request.headers.getall("If-None-Match", []))
    return any(
        known.strip().removeprefix("W/") in (tag.removeprefix("W/"), "*")
        for known in sent.split(",")
    )
