"""Refusals as problem documents: the closed list, and one middleware that turns all into them.

Never here: a traceback, a value somebody sent, a secret. Source: RFC 9457.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from hub import log as logs
from hub.clock import Clock
from hub.errors import NotStored, Refused
from hub.ids import new_id
from hub.model import Json, write_json

MEDIA_TYPE = "application/problem+json"
log = logs.get("api")
REQUEST_ID = web.RequestKey("request_id", str)
QUOTA = web.RequestKey("quota", dict[str, str])
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Kind(NamedTuple):
    """One row of the closed list: the status, and what the problem is in general."""

    status: int
    title: str
    retry_after: int = 0


PROBLEMS: Mapping[str, Kind] = {
    "validation_error": Kind(400, "The request does not say what it must"),
    "unknown_parameter": Kind(400, "The URL has a parameter that means nothing here"),
    "idempotency_key_missing": Kind(400, "This call needs an Idempotency-Key header"),
    "unauthenticated": Kind(401, "No valid API key was sent"),
    "payment_failed": Kind(402, "The payment provider refused the payment"),
    "forbidden": Kind(403, "The API key's role may not do this"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "The method does not fit the resource"),
    "request_timeout": Kind(408, "The request came too slowly", 1),
    "invalid_transition": Kind(409, "The state does not allow this step"),
    "email_taken": Kind(409, "Another customer has this e-mail address"),
    "sku_taken": Kind(409, "Another variant has this SKU"),
    "external_ref_exists": Kind(409, "Something with this external_ref exists already"),
    "out_of_stock": Kind(409, "There is not enough stock"),
    "would_go_negative": Kind(409, "The stock would go below what is reserved"),
    "cart_changed": Kind(409, "The cart's total is not the expected one"),
    "cart_completed": Kind(409, "The cart is completed"),
    "not_cancellable": Kind(409, "The order cannot be cancelled any more"),
    "order_on_hold": Kind(409, "The order is on hold"),
    "qty_exceeds_open": Kind(409, "More than is left to fulfil"),
    "amount_exceeds_authorized": Kind(409, "More than is authorized"),
    "amount_exceeds_captured": Kind(409, "More than can be refunded"),
    "case_resolved": Kind(409, "The case is resolved"),
    "idempotency_key_in_progress": Kind(409, "The first call with this key still runs", 2),
    "answer_erased": Kind(410, "The answer went with the person it told of"),
    "version_conflict": Kind(412, "It has changed since it was read"),
    "too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body must be plain application/json"),
    "currency_mismatch": Kind(422, "The currency does not fit"),
    "code_invalid": Kind(422, "The code cannot be used"),
    "url_not_allowed": Kind(422, "The URL may not be called"),
    "idempotency_key_reused": Kind(422, "The key was used for another request"),
    "precondition_required": Kind(428, "This call needs an If-Match header"),
    "quota_exceeded": Kind(429, "Too many calls", 1),
    "internal": Kind(500, "The hub made a mistake"),
    "provider_unavailable": Kind(503, "The payment provider cannot be reached", 5),
    "overloaded": Kind(503, "The hub has no room for it now", 5),
    "not_stored": Kind(503, "The store is not to be had", 1),
}
_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
}


def document(refusal: Refused, *, instance: str, request_id: str) -> dict[str, Json]:
    """Write a refusal as RFC 9457 has it; a code outside the closed list is a bug of ours."""
    code = refusal.code if refusal.code in PROBLEMS else "internal"
    kind = PROBLEMS[code]
    extra = refusal.extra if code == refusal.code else {}
    return {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": refusal.detail if code == refusal.code else "",
        "instance": instance,
        "code": code,
        "errors": [],
        "request_id": request_id,
        "retryable": kind.retry_after > 0,
        **extra,
    }


def answer(problem: Mapping[str, Json], headers: Mapping[str, str] | None = None) -> web.Response:
    """Send a problem document with the headers its code asks for."""
    made = web.Response(
        status=problem["status"],
        body=write_json(problem),
        content_type=MEDIA_TYPE,
        headers=headers,
    )
    kind = PROBLEMS[problem["code"]]
    if kind.retry_after:
        made.headers["Retry-After"] = str(problem.get("retry_after", kind.retry_after))
    if problem["code"] == "version_conflict" and "version" in problem:
        made.headers["ETag"] = f'"{problem["version"]}"'
    if kind.status == 401:
        made.headers["WWW-Authenticate"] = "Bearer"
    return made


Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


def middleware(clock: Clock) -> Any:
    """Give the outermost middleware: a request id in and out, every failure a problem."""

    @web.middleware
    async def problems(request: web.Request, handler: Step) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        named = _GIVEN_ID.fullmatch(given) is not None
        request[REQUEST_ID] = given if named else new_id("req", clock.now())
        sent = await _guarded(request, handler)
        sent.headers["X-Request-Id"] = request[REQUEST_ID]
        sent.headers.setdefault("Cache-Control", "no-store")
        sent.headers.update(request.get(QUOTA, {}))
        return sent

    return problems


async def _guarded(request: web.Request, step: Step) -> web.StreamResponse:
    try:
        return await step(request)
    except Refused as refusal:
        return _refuse(request, refusal)
    except NotStored:
        log.warning("not stored", request_id=request[REQUEST_ID])
        return _refuse(request, Refused("not_stored", "nothing was changed; try again"))
    except web.HTTPException as refusal:
        return _from_http(request, refusal)
    except Exception:
        log.exception("api bug", request_id=request[REQUEST_ID], path=request.path)
        return _refuse(request, Refused("internal", "the hub's log has it under the request id"))


def _refuse(
    request: web.Request, refusal: Refused, headers: Mapping[str, str] | None = None
) -> web.Response:
    if refusal.code not in PROBLEMS:
        log.error("unlisted problem", code=refusal.code, request_id=request[REQUEST_ID])
    made = document(refusal, instance=request.path, request_id=request[REQUEST_ID])
    return answer(made, headers)


def _from_http(request: web.Request, refusal: web.HTTPException) -> web.StreamResponse:
    code = _BY_STATUS.get(refusal.status)
    if code is None:
        raise refusal
    allow = refusal.headers.get("Allow")
    return _refuse(request, Refused(code), {"Allow": allow} if allow else None)


async def page(request: web.Request) -> web.Response:
    """Serve /problems/<code>: what the problem means, for whoever follows the `type`."""
    code = request.match_info["code"]
    kind = PROBLEMS.get(code)
    if kind is None:
        raise web.HTTPNotFound
    again = "Try again later, with the same Idempotency-Key." if kind.retry_after else (
        "The same request will fail again; change it first."
    )  # fmt: skip
    return web.Response(text=f"{code}\n\nHTTP {kind.status}. {kind.title}.\n{again}\n")
