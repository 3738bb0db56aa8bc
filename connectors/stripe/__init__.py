"""Stripe: payments, refunds and hosted checkout out; signed events in.

Never holds a credential and never retries: both are the hub's.
Source: https://docs.stripe.com/api, version 2026-10-28.endive (read 2026-11).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from connectors.stripe import (
    answers,
    balance,
    bodies,
    endpoints,
    facts,
    inbound,
    outcomes,
    pulling,
    sdk,
)
from hub import (
    Answer,
    AuthFailed,
    Booked,
    Call,
    CallError,
    Capture,
    Check,
    Connector,
    ConnectorSettings,
    Event,
    Find,
    Limit,
    Made,
    Outcome,
    Page,
    Pay,
    PaymentFact,
    Refund,
    Reject,
    Request,
    Secret,
    Signing,
    Subscription,
    Url,
    Wanted,
    action,
    bearer,
    keyed,
    lookup,
    schemes,
    source,
)

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

KEYED = keyed(timedelta(hours=24))  # Source: https://docs.stripe.com/api/idempotent_requests


def _prefixes(mode: str) -> tuple[bytes, bytes]:
    """Source: https://docs.stripe.com/keys (secret and restricted keys)."""
    return f"sk_{mode}_".encode(), f"rk_{mode}_".encode()


class Stripe(Connector):
    """Stripe's events come at least once, in any order, for up to three days."""

    type = "stripe"
    auth = bearer("api_key")
    limits = (Limit(100, per=1), Limit(25, per=1, by="operation"))
    emits = dict.fromkeys(inbound.TYPES)
    signature = Signing(
        covers="body",
        window=(schemes.WINDOW, schemes.WINDOW),
        overlap=True,
        dedupe="id (evt_…)",
        again=timedelta(days=30),  # Source: https://docs.stripe.com/api/events (lists 30 days)
        source="https://docs.stripe.com/webhooks",
    )
    request_id_header = "Request-Id"

    class Settings(ConnectorSettings):
        """A restricted key may write PaymentIntents, Checkout Sessions and Refunds."""

        mode: Literal["test", "live"]
        api_key: Secret
        base_url: Url = "https://api.stripe.com"
        receipts: bool = True

        @field_validator("api_key")
        @classmethod
        def _of_its_mode(cls, key: Secret, info: ValidationInfo) -> Secret:
            """Refuse a key of the other mode; the message never shows it."""
            mode = info.data.get("mode")  # absent where it is itself at fault
            other = "live" if mode == "test" else "test"
            if mode and key.reveal().startswith(_prefixes(other)):
                text = f"is a {other} key, but mode is {mode}"
                raise PydanticCustomError("mode.mismatch", "{text}", {"text": text})
            if mode and not key.reveal().startswith(_prefixes(mode)):
                raise ValueError(f"is no key of mode {mode}: those begin sk_{mode}_ or rk_{mode}_")
            return key

    settings: Settings

    @classmethod
    def live(cls, settings: Settings) -> bool:
        """Go by the key itself."""
        return settings.api_key.reveal().startswith(_prefixes("live"))

    # -- actions ---------------------------------------------------------------------------------
    @action(effect=KEYED, kind="money")
    async def create_payment(self, call: Call, item: Pay) -> Outcome:
        """Make a PaymentIntent, which the buyer's page confirms with its client_secret."""
        at, intents = outcomes.now(call), self._v1(call).payment_intents
        body = bodies.intent(item, call.job, receipts=self.settings.receipts)
        made = await sdk.read(intents.create_async(body, sdk.key(call)))
        return outcomes.intent(made, at, handoff=True)

    @action(effect=KEYED, kind="money")
    async def create_checkout(self, call: Call, item: Pay) -> Outcome:
        """Make a Checkout Session, the page at Stripe where the buyer pays."""
        at, sessions = outcomes.now(call), self._v1(call).checkout.sessions
        body = bodies.session(item, call.job)
        made = await sdk.read(sessions.create_async(body, sdk.key(call)))
        return outcomes.session(made, at, handoff=True)

    @action(effect=KEYED, kind="money")
    async def capture_payment(self, call: Call, item: Capture) -> Outcome:
        """Take authorized money, once; what is not taken is released."""
        at, intents = outcomes.now(call), self._v1(call).payment_intents
        ref, body = await self._payment(call, item.ref), bodies.capture(item, call.job)
        return outcomes.intent(await sdk.read(intents.capture_async(ref, body, sdk.key(call))), at)

    @action(effect=KEYED, kind="money")
    async def cancel_payment(self, call: Call, item: Capture) -> Outcome:
        """Cancel an intent, or expire a session that is still open."""
        at, v1, body = outcomes.now(call), self._v1(call), bodies.cancel(item)
        if item.ref.startswith("cs_"):
            expire = v1.checkout.sessions.expire_async(item.ref, {}, sdk.key(call))
            return outcomes.session(await sdk.read(expire), at)
        cancel = v1.payment_intents.cancel_async(item.ref, body, sdk.key(call))
        return outcomes.intent(await sdk.read(cancel), at)

    @action(effect=KEYED, kind="money")
    async def refund(self, call: Call, item: Refund) -> Outcome:
        """Give back all or part of a captured payment."""
        at, refunds = outcomes.now(call), self._v1(call).refunds
        body = bodies.refund(item, await self._payment(call, item.ref), call.job)
        made = await sdk.read(refunds.create_async(body, sdk.key(call)))
        return outcomes.refund(made, at)

    @action(kind="read")
    async def retrieve_payment(self, call: Call, item: Find) -> Outcome:
        """Read a payment and its refunds as they are now."""
        at, v1 = outcomes.now(call), self._v1(call)
        found, ref = await self._outer(call, item.ref, at)
        if ref and ref.startswith("pi_"):
            found += facts.of_intent(await sdk.read(v1.payment_intents.retrieve_async(ref)), at)
        if ref:
            async for made in sdk.pages(v1.refunds.list_async, bodies.about(ref)):
                found += facts.of_refund(made, at)
        return Outcome(ref=item.ref, facts=found)

    # -- what became of an uncertain job ---------------------------------------------------------
    @lookup("create_payment")
    async def find_payment(self, call: Call, item: Pay) -> Outcome | None:
        """Find the intent that carries this job's uid."""
        listing = self._v1(call).payment_intents.list_async
        made = await outcomes.marked(listing, outcomes.since(call.job), call.job)
        return outcomes.intent(made, outcomes.now(call), handoff=True) if made else None

    @lookup("create_checkout")
    async def find_checkout(self, call: Call, item: Pay) -> Outcome | None:
        """Find the session that carries this job's uid."""
        listing = self._v1(call).checkout.sessions.list_async
        made = await outcomes.marked(listing, outcomes.since(call.job), call.job)
        return outcomes.session(made, outcomes.now(call), handoff=True) if made else None

    @lookup("capture_payment")
    async def find_capture(self, call: Call, item: Capture) -> Outcome | None:
        """Ask whether the intent bears this job's capture, and not another's."""
        at, ref = outcomes.now(call), await self._payment(call, item.ref)
        intent = await sdk.read(self._v1(call).payment_intents.retrieve_async(ref))
        done = facts.marks(intent).get("hub_capture") == call.job
        return outcomes.intent(intent, at) if done and intent["status"] == "succeeded" else None

    @lookup("cancel_payment")
    async def find_cancel(self, call: Call, item: Capture) -> Outcome | None:
        """Ask whether the payment is given up; whoever did it, nothing is left to do."""
        at, v1 = outcomes.now(call), self._v1(call)
        if item.ref.startswith("cs_"):
            session = await sdk.read(v1.checkout.sessions.retrieve_async(item.ref))
            return outcomes.session(session, at) if session["status"] == "expired" else None
        intent = await sdk.read(v1.payment_intents.retrieve_async(item.ref))
        return outcomes.intent(intent, at) if intent["status"] == "canceled" else None

    @lookup("refund")
    async def find_refund(self, call: Call, item: Refund) -> Outcome | None:
        """Find the refund that carries this job's uid among those of its payment."""
        at, about = outcomes.now(call), bodies.about(await self._payment(call, item.ref))
        made = await outcomes.marked(self._v1(call).refunds.list_async, about, call.job)
        return outcomes.refund(made, at) if made else None

    # -- inbound ---------------------------------------------------------------------------------
    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check Stripe-Signature against one secret."""
        inbound.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as Stripe does."""
        return inbound.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield the delivery's one event."""
        return inbound.parse(request)

    def suspect(self, request: Request) -> str | None:
        """See whether it is of the other mode."""
        return inbound.suspect(request, self.settings.mode)

    def stray(self, event: Event) -> str | None:
        """See whether it is of the other mode."""
        return inbound.stray(event, self.settings.mode)

    def facts(self, event: Event) -> Iterable[PaymentFact]:
        """Read the payment facts out of an event, by its type with or without our name."""
        return facts.of_event(event.type.removeprefix(f"{self.name}."), event.data, event.at)

    @source
    async def events(self, cursor: str | None, overlap: timedelta = timedelta()) -> Page:
        """Read the events of this account, whatever was delivered of them."""
        v1 = sdk.client(self.http, self.settings.base_url)
        return await pulling.page(v1, cursor, overlap)

    async def booked(self, since: datetime, until: datetime, cursor: str | None) -> Booked:
        """Read the balance transactions of a span."""
        v1 = sdk.client(self.http, self.settings.base_url)
        return await balance.page(v1, since, until, cursor)

    # -- webhook endpoints -----------------------------------------------------------------------
    @classmethod
    def needed_events(cls) -> Iterable[str]:
        """Name the types that hold payment facts."""
        return facts.BY_EVENT

    async def subscriptions(self) -> Sequence[Subscription]:
        """Read the account's webhook endpoints."""
        return await endpoints.listed(sdk.client(self.http, self.settings.base_url))

    async def subscribe(self, wanted: Wanted, key: str) -> Made:
        """Make a webhook endpoint in our API version; the key makes it one."""
        return await endpoints.made(sdk.client(self.http, self.settings.base_url), wanted, key)

    async def resubscribe(self, have: Subscription, wanted: Wanted) -> None:
        """Enable a webhook endpoint, and add to what it hears."""
        await endpoints.mended(sdk.client(self.http, self.settings.base_url), have, wanted)

    def classify(self, answer: Answer) -> CallError | None:
        """Read a refusal by Stripe's error type, code and retry advice."""
        return answers.classify(answer)

    async def check(self) -> list[Check]:
        """Read the balance, and compare the account's mode with ours."""
        balance = sdk.client(self.http, self.settings.base_url).balance
        try:
            live = (await sdk.read(balance.retrieve_async())).get("livemode")
        except AuthFailed:
            return [Check("credentials", "fail", "Stripe refuses the key", "mend api_key")]
        except CallError as error:
            return [Check("reach", "fail", f"no balance: {error}")]
        same = live is (self.settings.mode == "live")
        text = "" if same else f"the key answers with livemode {live}"
        return [Check("credentials", "ok"), Check("mode", "ok" if same else "fail", text)]

    # -- inside ----------------------------------------------------------------------------------
    def _v1(self, call: Call) -> "V1Services":
        return sdk.client(call.http, self.settings.base_url)

    async def _payment(self, call: Call, ref: str) -> str:
        """Name what money moves on: an intent or charge itself, or a session's intent."""
        if not ref.startswith("cs_"):
            return ref
        session = await sdk.read(self._v1(call).checkout.sessions.retrieve_async(ref))
        if (intent := facts.id_of(session.get("payment_intent"))) is None:
            raise Reject("nobody has paid this checkout session", errors={"ref": "has no payment"})
        return intent

    async def _outer(
        self, call: Call, ref: str, at: datetime
    ) -> tuple[tuple[PaymentFact, ...], str | None]:
        """Read what lies around an intent: a session's or charge's own facts, and the intent."""
        if ref.startswith("cs_"):
            session = await sdk.read(self._v1(call).checkout.sessions.retrieve_async(ref))
            return facts.of_session(session, at), facts.id_of(session.get("payment_intent"))
        if not ref.startswith("ch_"):
            return (), ref
        charge = await sdk.read(self._v1(call).charges.retrieve_async(ref))
        intent = facts.id_of(charge.get("payment_intent"))
        return (() if intent else facts.of_charge(charge, at)), intent or ref
