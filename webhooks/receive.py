"""POST /webhooks/{name}: raw bytes → verify → parse → route and map → one receipt → commit → 200.

Never: a 2xx before the commit, a request stored before its signature passed, a secret or a body
in a log. What verifies but cannot be read is kept as a visible dead job, and still answered 200,
since sending it again would not mend it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import ceil

from aiohttp import web

from hub import crash, log, metrics, trace
from hub.clock import Clock
from hub.config.instances import WebhookSecret
from hub.effects import upsert
from hub.errors import HubError, NotStored, Retry, SignatureError
from hub.ids import new_id
from hub.model import Event, Job, NewJob, Origin, Request, write_json
from hub.payments import fact_jobs, find_jobs
from hub.routing import direct_job
from hub.secrets import Secret
from store import arrivals, inbox, secret_uses
from store.arrivals import Ended
from store.inbox import Receipt, Taken
from store.store import Store
from store.tx import Tx
from webhooks import guard
from webhooks.doors import Door
from webhooks.fetched import Fetched
from webhooks.refusals import Refusals

RETRY_AFTER = "5"


class Receiver:
    """Receives for every door.

    Args:
        route: Writes an event's jobs by the routes in force.
        cap: Most bytes of a body, packed and unpacked.
        within: Seconds a body may take to arrive.
        refusals: What becomes of those that are refused.
        proxies: The networks whose X-Forwarded-For is believed.
    """

    def __init__(
        self,
        store: Store,
        doors: dict[str, Door],
        *,
        route: Callable[[Event, datetime], Sequence[NewJob]],
        clock: Clock,
        cap: int = 1 << 20,
        within: float = 10.0,
        refusals: Refusals | None = None,
        proxies: Sequence[guard.Network] = (),
    ) -> None:
        self.store, self.doors, self.route, self.clock = store, doors, route, clock
        self.bodies = guard.Bodies(cap=cap, within=within)
        self.refusals, self.proxies = refusals or Refusals(doors), proxies
        self.seen: dict[secret_uses.Use, datetime] = {}
        self.fetched = Fetched(clock)
        self.log = log.get("webhooks")

    def follow(self, other: "Receiver") -> None:
        """Go on where another left off: refused callers, the use of secrets, certificates."""
        self.refusals, self.seen, self.fetched = other.refusals, other.seen, other.fetched
        self.refusals.doors = self.doors
        self.hold(
            {name: [secret.value for secret in door.held] for name, door in other.doors.items()}
        )

    def hold(self, secrets: Mapping[str, Sequence[Secret]]) -> None:
        """Accept, beside the configured ones, the secrets of endpoints the hub itself made."""
        for name, door in self.doors.items():
            held = tuple(WebhookSecret(value=one) for one in secrets.get(name, ()))
            if door.held != held:
                self.doors[name] = replace(door, held=held)

    async def post(self, asked: web.Request) -> web.Response:
        """Answer a provider's webhook."""
        door = self.doors.get(asked.match_info["name"])
        if door is None:
            raise web.HTTPNotFound
        named = guard.coding(asked)
        body = await self.bodies.read(asked)
        request = self._request(door, asked, body)
        try:
            request = await self.fetched.beside(door, request)
            used = door.admit(request, self.clock.now())
            self.fetched.keep(door, request)
            self.seen[door.name, used] = self.clock.now()
        except SignatureError as error:
            raise self._refused(door, asked, request, error.reason) from error
        except Retry as error:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": RETRY_AFTER}) from error
        request = request.with_body(guard.unpack(body, named, cap=self.bodies.cap))
        receipt = self.receipt(door, request, used)
        crash.at("A")
        try:
            await self._store(receipt)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 -- verified, so kept, whatever cannot be written
            unread = self._unread(door, receipt, error)
            await self._store(replace(receipt, taken=[], kept=[unread]))
        crash.at("B_after")
        return self._answer(door, request)

    async def greet(self, asked: web.Request) -> web.Response:
        """Answer the GET or HEAD by which some providers try an address; nothing is stored."""
        door = self.doors.get(asked.match_info["name"])
        if door is None:
            raise web.HTTPNotFound
        request = self._request(door, asked, b"")
        try:
            reply = door.connector.greet(request)
        except SignatureError as error:
            raise self._refused(door, asked, request, error.reason) from error
        if reply is None:
            raise web.HTTPMethodNotAllowed(asked.method, ["POST"])
        return web.Response(body=reply.body, content_type=reply.content_type)

    def receipt(
        self, door: Door, request: Request, used: str | None, *, pulled: bool = False
    ) -> Receipt:
        """Make the receipt of a verified request: its events, their jobs, or why it has none.

        Args:
            pulled: It was read from the provider's own list, so its events are no news.
        """
        now = self.clock.now()
        kept = Receipt(
            id=new_id("inb", now),
            connector=door.connector.name,
            request=request,
            received_at=now,
            secret_used=used,
            via="pull" if pulled else "webhook",
        )
        try:
            taken = self._taken(door, request, now, "backfill" if pulled else "live")
        except Exception as error:  # noqa: BLE001 -- verified, so kept, whatever parse trips over
            return replace(kept, kept=[self._unread(door, kept, error)])
        return replace(kept, taken=taken)

    async def reread(self, job: Job) -> Callable[[Tx], None]:
        """Parse a kept request again, for a retried `inbox.parse` job.

        Raises:
            HubError: It cannot be read still, or its body is gone.
        """
        door = self.doors.get(job.connector)
        if door is None:
            raise HubError(f"no connector '{job.connector}' takes webhooks")
        request = await self.store.kept_request(job.inbox_id or "")
        taken = self._taken(door, request, self.clock.now(), "live")
        return lambda tx: inbox.take_in(tx, door.connector.name, job.inbox_id or "", taken)

    async def note_secrets(self) -> list[Ended]:
        """Note in the store which secrets were seen since; give the silences that are over."""
        seen, self.seen = self.seen, {}
        heard: dict[str, datetime] = {}
        for (name, _), at in seen.items():
            heard[name] = max(at, heard.get(name, at))

        def note(tx: Tx) -> list[Ended]:
            secret_uses.note(tx, seen)
            return arrivals.note(tx, heard)

        return await self.store.write(note) if seen else []

    # -- inside ------------------------------------------------------------------------------------
    def _request(self, door: Door, asked: web.Request, body: bytes) -> Request:
        """Make the request as the provider's scheme sees it: our own URL, never the Host header."""
        query = asked.raw_path.partition("?")[2]
        return Request(
            method=asked.method,
            url=door.connector.webhook_url + (f"?{query}" if query else ""),
            headers=asked.raw_headers,
            body=body,
            received_at=self.clock.now(),
        )

    def _refused(
        self, door: Door, asked: web.Request, request: Request, reason: str
    ) -> web.HTTPException:
        """Remember a refusal and give its answer: 401, or 429 once the address has had enough."""
        metrics.refused(door.name, reason)
        now = self.clock.now()
        forwarded = asked.headers.getall("X-Forwarded-For", [])
        address = guard.caller(asked.remote or "", forwarded, self.proxies)
        left = self.refusals.charge(address, now)
        if not left.allowed:
            return web.HTTPTooManyRequests(headers={"Retry-After": str(ceil(left.wait))})
        self.refusals.keep(door, request, reason, now=now, urls=guard.urls(asked, request.url))
        return web.HTTPUnauthorized()

    def _taken(
        self, door: Door, request: Request, now: datetime, origin: Origin
    ) -> list[Taken]:  # fmt: skip
        return [self._take(door, found, now, origin) for found in door.connector.parse(request)]

    def _take(self, door: Door, found: Event, now: datetime, origin: Origin) -> Taken:
        name = door.connector.name
        believed = door.covered or origin == "backfill"  # what we asked for ourselves
        if self.store.restored_at is not None and found.at <= self.store.restored_at:
            origin = "backfill"  # it may have been told before, to the store that was lost
        event = replace(
            found,
            id=new_id("evt", now),
            connector=name,
            type=f"{name}.{found.type}",
            recorded_at=now,
            origin=origin,
        )
        if not believed:
            event = replace(event, job=None, failed=False)
        wanted = not door.events or found.type in door.events
        routed = list(self.route(event, now)) if wanted else []
        facts = door.connector.facts(found)
        known = (
            fact_jobs(name, facts, now=now, event_id=event.id, job=found.job, origin=origin)
            if believed
            else find_jobs(name, facts, now=now, event_id=event.id, origin=origin)
        )
        jobs = [*known, *routed]
        if (under_way := trace.current()) is not None:
            jobs = [replace(job, trace=under_way) for job in jobs]
        if (why := door.connector.stray(found)) is not None:
            return self._stray(Taken(event=event, jobs=jobs), why, now)
        return Taken(event=event, jobs=jobs)

    def _stray(self, taken: Taken, why: str, now: datetime) -> Taken:
        """Keep an event of another account: it settles nothing, its jobs are skipped."""
        self.refusals.stray(taken.event.connector or "", why, now)
        event = replace(taken.event, job=None, failed=False)
        return Taken(event=event, jobs=[replace(j, state="skipped", error=why) for j in taken.jobs])

    def _unread(self, door: Door, kept: Receipt, error: Exception) -> NewJob:
        """Write the visible dead job of a request that verifies but cannot be read."""
        job = direct_job(
            door.connector.name,
            "inbox.parse",
            None,
            key=f"parse:{kept.id}",
            effect=upsert("inbox"),
            now=kept.received_at,
        )
        text = f"the request verifies but cannot be read: {log.why(error)}"
        return replace(job, inbox_id=kept.id, state="dead", error=text)

    async def _store(self, receipt: Receipt) -> None:
        try:
            done = await self.store.receive(receipt)
        except NotStored as error:
            metrics.webhooks.labels(receipt.connector, "failed").inc()
            self.log.exception("webhook not stored", connector=receipt.connector)
            raise web.HTTPServiceUnavailable(headers={"Retry-After": RETRY_AFTER}) from error
        known = done.duplicates and not done.fresh
        metrics.webhooks.labels(receipt.connector, "duplicate" if known else "stored").inc()
        self.log.info(
            "webhook stored",
            connector=receipt.connector,
            inbox=receipt.id,
            fresh=done.fresh,
            duplicates=done.duplicates,
        )

    def _answer(self, door: Door, request: Request) -> web.Response:
        if (reply := door.connector.answer(request)) is not None:
            return web.Response(body=reply.body, content_type=reply.content_type)
        return web.Response(body=write_json({"stored": True}), content_type="application/json")
