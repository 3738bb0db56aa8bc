"""Stripe's double on a port, a receiver of its webhooks, the vendor's SDK and our connector."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import stripe
from aiohttp import web

from connectors.stripe import Stripe
from connectors.stripe.sandbox import Sandbox
from hub import Call, ManualClock, Pay, Request, Secret, Sum
from hub.http import Outbound
from hub.ids import new_id
from hub.sandbox import Endpoint

SECRET = Secret("whsec_sandbox_0123456789", "whsec")
PAY = {"amount": 1099, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}


class Stage:
    """The double on a port, a receiver of its webhooks, the vendor's SDK and our connector."""

    def __init__(self, double, base_url, sdk, arrived):
        self.double, self.base_url, self.v1, self.arrived = double, base_url, sdk.v1, arrived
        self.clock, self.ledger = double.clock, double.state.ledger

    def connector(self, key="sk_test_sandbox"):
        given = {"mode": "test", "api_key": Secret(key), "base_url": self.base_url}
        settings = Stripe.Settings.model_construct(**given, receipts=True)
        return Stripe("stripe", settings, None)

    async def perform(self, action, item, *, job, key=None, api_key="sk_test_sandbox", within=5.0):
        connector = self.connector(api_key)
        deadline = self.clock.now() + timedelta(seconds=within)
        async with Outbound(self.clock) as out:
            client = out.client(
                Stripe, connector.settings, name="stripe", allow_private=["127.0.0.1"]
            )
            call = Call(
                http=client.attempt(deadline=deadline), job=job, key=key or job, attempt=1,
                deadline=deadline, links=None, log=None, clock=self.clock,
            )  # fmt: skip
            return await getattr(connector, action)(call, item)

    async def events(self, count):
        """The next webhooks, verified and parsed, in the order of their ids: they race."""
        found = [await self._event() for _ in range(count)]
        return sorted(found, key=lambda event: event.ext_id)

    async def _event(self):
        request = await asyncio.wait_for(self.arrived.get(), 5)
        connector = self.connector()
        connector.verify(request, SECRET, now=self.clock.now().timestamp())
        [event] = connector.parse(request)
        return event

    async def types(self, count):
        return [event.type for event in await self.events(count)]

    async def person(self, path, **form):
        """What a buyer or merchant does, without a key."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.base_url + path, data=form) as answer,
        ):
            return answer.status, await answer.json()

    def done(self, kind):
        return [effect for effect in self.ledger if effect.kind == kind]

    def job(self):
        return new_id("job", self.clock.now())


@asynccontextmanager
async def staged(aiohttp_server):
    """Set the stage; what it opens is closed after it."""
    arrived = asyncio.Queue()

    async def receive(request):
        body = await request.read()
        arrived.put_nowait(
            Request(method="POST", url=str(request.url), headers=request.raw_headers, body=body)
        )
        return web.Response()

    double = Sandbox(clock=ManualClock())
    app = web.Application()
    app.add_subapp("/stripe", double.app())
    app.router.add_post("/hook", receive)
    server = await aiohttp_server(app)
    double.state.endpoints.append(Endpoint(url=str(server.make_url("/hook")), secret=SECRET))
    base_url = str(server.make_url("/stripe"))
    transport = stripe.AIOHTTPClient()  # the vendor's own, on a session of its own
    sdk = stripe.StripeClient(
        "sk_test_sandbox",
        base_addresses={"api": base_url},
        http_client=transport,
        max_network_retries=0,
    )
    stripe.enable_telemetry = False
    yield Stage(double, base_url, sdk, arrived)
    await transport.close_async()


def pay(**more):
    given = {"order": "ord_1", "payment": "pay_1", "amount": Sum(amount=1099, currency="EUR")}
    return Pay(**given | more)


def names(outcome):
    return [(fact.fact, fact.amount) for fact in outcome.facts]
