"""The double of Stripe: its paths and its events, over the bank and the hosted pages.

Beside Stripe's own paths, `/_customer/…` is what a buyer does in the browser, `/_dashboard/…`
what the merchant or the bank does without the hub.
Source: https://docs.stripe.com/api, version 2026-10-28.endive.
"""

import html
from collections.abc import Callable
from typing import Any

from aiohttp import web

from connectors.stripe import Stripe, sandbox_checkout, sandbox_endpoints, sandbox_shapes
from connectors.stripe.sandbox_bank import Bank
from connectors.stripe.sandbox_endpoints import Endpoints
from connectors.stripe.sandbox_forms import Refusal, Shape, check, decode
from connectors.stripe.sandbox_wire import Asked, Keys, authorized, cut, expanded, ranged
from connectors.stripe.sdk import API_VERSION
from hub import Clock, Json, Secret
from hub.sandbox import Double, Handler

Params = dict[str, Any]
Act = Callable[[Params, Asked], Json]
LISTS = {
    "/v1/payment_intents": "payment_intent",
    "/v1/checkout/sessions": "checkout.session",
    "/v1/charges": "charge",
    "/v1/refunds": "refund",
    "/v1/events": "event",
    "/v1/balance_transactions": "balance_transaction",
    sandbox_endpoints.PATH: "webhook_endpoint",
}
BALANCE = {"object": "balance", "available": [], "pending": []}
PAGE = """<!doctype html><html lang="en"><title>Sandbox checkout</title>
<h1>Pay {amount} {currency}</h1><form method="post" action="{ident}/pay">
<button name="payment_method" value="pm_card_visa">Pay</button>
<button name="payment_method" value="pm_card_chargeDeclined">Pay with a declined card</button>
</form></html>"""


class Sandbox(Double):
    """Stripe, as far as the hub needs it; its faults: `keys.pace`, `keys.broken` and the base's."""

    connector = Stripe

    def __init__(self, *, clock: Clock | None = None, seed: int = 0) -> None:
        super().__init__(clock=clock, seed=seed)
        # Ids of two runs differ: a hub that outlives the double must not take them for the same.
        salt = f"{int(self.clock.now().timestamp() * 1000):x}"
        self.bank = Bank(self.clock, self._tell, self._did, salt)
        self.hooks = Endpoints(self.state, self.bank.now, salt)
        self.keys = Keys(self.clock)
        self.events: dict[str, Params] = {}
        self._requests, self._asked = 0, Asked()
        self.live = False

    def routes(self) -> list[web.RouteDef]:
        """Give Stripe's routes, the buyer's and the merchant's."""
        writes = [web.post(path, self._api(shape, act)) for path, shape, act in self._writes()]
        lists = [
            web.get(path, self._api(sandbox_shapes.listing(kind), self._lister(path, kind)))
            for path, kind in LISTS.items()
        ]
        reads = [
            web.get(f"{path}/{{id}}", self._api(sandbox_shapes.EXPAND, self._getter(kind)))
            for path, kind in LISTS.items()
        ]
        balance = web.get("/v1/balance", self._api(sandbox_shapes.EXPAND, self._balance))
        people = [web.post(path, self._person(act)) for path, act in self._people()]
        hooks = f"{sandbox_endpoints.PATH}/{{id}}"
        gone = web.delete(hooks, self._api({}, lambda _, a: self.hooks.delete(a.ident)))
        page = web.get(self._PAGES, self._page)
        return [*writes, *lists, *reads, balance, gone, *people, page]

    def send_to(self, url: str, secret: Secret) -> None:
        """Have an endpoint, made by hand in the dashboard."""
        self.hooks.replace(url, secret, API_VERSION)

    _PAGES = "/_customer/checkout/{id}"

    def _writes(self) -> list[tuple[str, Shape, Act]]:
        bank, shapes, hooks = self.bank, sandbox_shapes, sandbox_endpoints.PATH
        intents, sessions = "/v1/payment_intents", "/v1/checkout/sessions"
        return [
            (intents, shapes.INTENT, lambda p, _: bank.create_intent(p)),
            (f"{intents}/{{id}}/confirm", shapes.CONFIRM, self._confirm),
            (f"{intents}/{{id}}/capture", shapes.CAPTURE, lambda p, a: bank.capture(a.ident, p)),
            (f"{intents}/{{id}}/cancel", shapes.CANCEL, lambda p, a: bank.cancel(a.ident, p)),
            (sessions, shapes.SESSION, self._open),
            (f"{sessions}/{{id}}/expire", shapes.EXPAND, self._expire),
            ("/v1/refunds", shapes.REFUND, lambda p, _: bank.refund(p)),
            (hooks, sandbox_endpoints.CREATE, lambda p, _: self.hooks.create(p)),
            (
                f"{hooks}/{{id}}",
                sandbox_endpoints.UPDATE,
                lambda p, a: self.hooks.update(a.ident, p),
            ),
        ]

    def _people(self) -> list[tuple[str, Act]]:
        refunds, settle = "/_dashboard/refunds", self.bank.settle_refund
        return [
            (f"{self._PAGES}/pay", self._pay_page),
            ("/_customer/payment_intents/{id}/pay", self._pay),
            (refunds, lambda p, _: self.bank.refund(check(p, sandbox_shapes.REFUND))),
            (f"{refunds}/{{id}}/fail", lambda _, a: settle(a.ident, "failed")),
            (f"{refunds}/{{id}}/succeed", lambda _, a: settle(a.ident, "succeeded")),
            ("/_dashboard/break", self._break),
        ]

    # -- what is done ----------------------------------------------------------------------------
    def _confirm(self, params: Params, asked: Asked) -> Json:
        intent = self.bank.get(asked.ident, "payment_intent", "intent")
        self.bank.note("confirm", asked.ident, params)
        return self.bank.pay(intent, params.get("payment_method", ""))

    def _open(self, params: Params, asked: Asked) -> Json:
        return sandbox_checkout.create(self.bank, params, f"{asked.base}/_customer/checkout")

    def _expire(self, params: Params, asked: Asked) -> Json:
        return sandbox_checkout.expire(self.bank, asked.ident)

    def _pay(self, params: Params, asked: Asked) -> Json:
        intent = self.bank.get(asked.ident, "payment_intent", "intent")
        return self.bank.pay(intent, params.get("payment_method", "pm_card_visa"))

    def _pay_page(self, params: Params, asked: Asked) -> Json:
        method = params.get("payment_method", "pm_card_visa")
        return sandbox_checkout.pay(self.bank, asked.ident, method)

    def _break(self, params: Params, asked: Asked) -> Json:
        """Let the next keyed writes act, and answer and remember a 500 all the same."""
        self.keys.broken = int(params.get("times", "1"))
        return {"broken": self.keys.broken}

    def _balance(self, params: Params, asked: Asked) -> Json:
        return BALANCE | {"livemode": self.live}

    def _getter(self, kind: str) -> Act:
        def get(_: Params, asked: Asked) -> Json:
            if kind == "event" and asked.ident in self.events:
                return self.events[asked.ident]
            if kind == "webhook_endpoint":
                return self.hooks.get(asked.ident)
            if kind == "checkout.session":
                return sandbox_checkout.find(self.bank, asked.ident)
            return self.bank.get(asked.ident, kind)

        return get

    def _lister(self, path: str, kind: str) -> Act:
        def page(params: Params, _: Asked) -> Json:
            own = {"event": self.events, "webhook_endpoint": self.hooks.things}
            things = own.get(kind, self.bank.things)
            found = [thing for thing in reversed(things.values()) if thing["object"] == kind]
            return cut(found, params, sandbox_shapes.FILTERS[kind], path)

        return page

    # -- how it is asked -------------------------------------------------------------------------
    def _api(self, shape: Shape, act: Act) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = self._who(request)
            headers = {"Request-Id": asked.request or "", "Stripe-Version": API_VERSION}
            try:
                authorized(credential := request.headers.get("Authorization", ""), request.path)
                self.live = "_live_" in credential
                writes = request.method == "POST"
                given = ranged(decode(await request.text() if writes else request.query_string))
                params = check(given, shape)
                print_ = [request.path, given]
                saved = await self.keys.once(
                    asked.key, print_, lambda: self._do(act, params, asked)
                )
            except Refusal as refusal:
                return web.json_response(refusal.body(), status=refusal.status, headers=headers)
            headers |= {"Idempotent-Replayed": "true"} if saved.replayed else {}
            return web.json_response(saved.body, status=saved.status, headers=headers)

        return handle

    def _person(self, act: Act) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = Asked(ident=request.match_info.get("id", ""))
            try:
                body = self._do(act, decode(await request.text()), asked)
            except Refusal as refusal:
                return web.json_response(refusal.body(), status=refusal.status)
            if "text/html" in request.headers.get("Accept", "") and body.get("success_url"):
                raise web.HTTPSeeOther(body["success_url"])
            return web.json_response(body)

        return handle

    async def _page(self, request: web.Request) -> web.StreamResponse:
        session = self.bank.things.get(request.match_info["id"], {})
        if session.get("status") != "open":
            raise web.HTTPNotFound(text="This checkout is no longer open.")
        amount, currency = session["amount_total"], html.escape(session["currency"].upper())
        page = PAGE.format(amount=amount, currency=currency, ident=session["id"])
        return web.Response(text=page, content_type="text/html")

    def _who(self, request: web.Request) -> Asked:
        self._requests += 1
        return Asked(
            ident=request.match_info.get("id", ""),
            base=str(request.url.origin()) + request.path.partition("/v1/")[0],
            request=f"req_{self.bank.salt}{self._requests:06d}",
            key=request.headers.get("Idempotency-Key") if request.method == "POST" else None,
        )

    def _do(self, act: Act, params: Params, asked: Asked) -> Json:
        """Act without a break, so that what is told and noted belongs to this request."""
        self._asked = asked
        body = expanded(act(params, asked), params.get("expand", ()), self.bank.things)
        while self.bank.later:
            self._asked = Asked()
            self.bank.later.pop(0)()
        return body

    def too_many(self, after: float) -> web.StreamResponse:
        """Answer 429 as Stripe does."""
        error = Refusal("Request rate limit exceeded.", status=429, code="rate_limit")
        headers = {"Retry-After": f"{after:g}"}
        return web.json_response(error.body(), status=429, headers=headers)

    # -- what follows ----------------------------------------------------------------------------
    def _did(self, kind: str, ident: str, params: Json) -> None:
        self.effect(kind, ident, self._asked.key or "", params)

    def _tell(self, kind: str, thing: Json) -> None:
        """Make an event, keep it for the list, send it."""
        ident = f"evt_{self.bank.salt}{len(self.events) + 1:06d}"
        event = {
            "id": ident,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.bank.now(),
            "data": {"object": expanded(thing, (), {})},
            "livemode": self.live,
            "pending_webhooks": len(self.state.endpoints),
            "request": {"id": self._asked.request, "idempotency_key": self._asked.key},
            "type": kind,
        }
        self.events[ident] = event
        self.emit(event, lambda endpoint: endpoint.hears(kind))
