"""HubSpot's double on a port, a receiver of its webhooks, our connector and the vendor's SDK."""

import asyncio
from datetime import UTC, datetime, timedelta

from aiohttp import web
from hubspot_sdk import AsyncHubSpot

from connectors.hubspot import Hubspot
from connectors.hubspot.sandbox import Sandbox
from hub import Call, ManualClock, Reject, Request, Secret
from hub.http import Outbound

JOB = "job_01kg0000000000000000000001"
CLIENT_SECRET = Secret("client-secret-of-the-app-0001", "webhook")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Stored:
    """The links an earlier action stored."""

    def __init__(self):
        self.kept = {}

    async def get(self, kind, our_id):
        if (kind, our_id) not in self.kept:
            raise Reject(f"no link: {kind} {our_id}")
        return self.kept[kind, our_id]


class Quiet:
    """A log nobody reads."""

    def info(self, *_, **__):
        pass


class Stage:
    """All of them, and the links that actions stored."""

    def __init__(self, double, base_url, webhook_url, arrived):
        self.double, self.base_url, self.webhook_url = double, base_url, webhook_url
        self.arrived, self.clock, self.links = arrived, double.clock, Stored()

    def sdk(self, token="pat-sandbox"):
        return AsyncHubSpot(
            access_token=token,
            base_url=self.base_url,
            max_retries=0,
            timeout=5,
            _strict_response_validation=True,
        )

    def connector(self, token="pat-sandbox", http=None, **more):
        settings = Hubspot.Settings(access_token=Secret(token), base_url=self.base_url, **more)
        return Hubspot("crm", settings, http, self.webhook_url)

    async def perform(self, action, item, *, attempt=1, job=JOB, within=5, **more):
        connector = self.connector(**more)
        deadline = self.clock.now() + timedelta(seconds=within)
        async with Outbound(self.clock) as out:
            client = out.client(
                Hubspot, connector.settings, name="crm", allow_private=["127.0.0.1"]
            )
            call = Call(
                http=client.attempt(deadline=deadline), job=job, key=job, attempt=attempt,
                deadline=deadline, links=self.links, log=Quiet(), clock=self.clock,
            )  # fmt: skip
            done = await getattr(connector, action)(call, item)
        for one in done if isinstance(done, list) else []:
            self.links.kept |= one.links
        return done

    async def check(self, **more):
        settings = self.connector(**more).settings
        async with Outbound(self.clock) as out:
            client = out.client(Hubspot, settings, name="crm", allow_private=["127.0.0.1"])
            return {c.name: c for c in await Hubspot("crm", settings, client).check()}

    def ledger(self):
        return [(effect.kind, effect.key) for effect in self.double.state.ledger]

    async def delivery(self):
        """The next webhook's events, after it verified."""
        request = await asyncio.wait_for(self.arrived.get(), 5)
        self.connector().verify(request, CLIENT_SECRET, now=self.clock.now().timestamp())
        return request, list(self.connector().parse(request))


async def serve(aiohttp_server):
    """Give a stage on a fresh double."""
    arrived = asyncio.Queue()

    async def receive(request):
        body = await request.read()
        url = str(request.url)
        arrived.put_nowait(
            Request(method=request.method, url=url, headers=request.raw_headers, body=body)
        )
        return web.Response()

    double = Sandbox(clock=ManualClock(START))
    app = web.Application()
    app.add_subapp("/hubspot", double.app())
    app.router.add_post("/webhooks/crm", receive)
    server = await aiohttp_server(app)
    webhooks = str(server.make_url("/webhooks/crm"))
    return Stage(double, str(server.make_url("/hubspot")), webhooks, arrived)
