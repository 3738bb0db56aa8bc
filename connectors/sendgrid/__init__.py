"""SendGrid: mails out, what became of them in.

SendGrid takes no idempotency key: a mail whose answer was lost is never sent again by the hub
alone. Its own event, which echoes our job's uid, settles it.
Source: https://www.twilio.com/docs/sendgrid/api-reference (v3; read 2026-11).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import Field
from sendgrid.helpers import mail as vendor

from connectors.sendgrid import endpoints, signing
from connectors.sendgrid.bodies import address, alert_body, plain_body, template_body
from connectors.sendgrid.items import Address, AlertMail, Line, PlainMail, TemplateMail
from hub import (
    Ambiguous,
    Answer,
    AuthFailed,
    Call,
    CallError,
    Check,
    Connector,
    ConnectorSettings,
    Event,
    Json,
    Limit,
    Made,
    Outcome,
    RateHeaders,
    RateLimited,
    Request,
    Secret,
    Signing,
    Subscription,
    Url,
    Wanted,
    action,
    bearer,
    unsafe,
    write_json,
)

EVENTS = (
    "processed", "deferred", "delivered", "bounce", "dropped", "open", "click", "spamreport",
    "unsubscribe", "group_unsubscribe", "group_resubscribe", "account_status_change",
)  # fmt: skip
LONGEST_PAUSE = 86_400.0
RATE = RateHeaders(
    remaining="X-RateLimit-Remaining", limit="X-RateLimit-Limit", reset="X-RateLimit-Reset"
)


class SendGrid(Connector):
    """SendGrid delivers events in arrays, in any order, often more than once, for 24 hours."""

    type = "sendgrid"
    auth = bearer("api_key")
    limits = (Limit(None, per=60, headers=RATE),)  # no rate is published: the answers tell it
    emits = dict.fromkeys(EVENTS)
    signature = Signing(
        covers="body",
        window=(signing.PAST, signing.FUTURE),
        dedupe="sg_event_id",
        source="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events",
    )
    statuses = {503: Ambiguous}  # with Retry-After too: nobody says that the mail was not taken
    request_id_header = "X-Message-Id"

    class Settings(ConnectorSettings):
        """The key needs the scope mail.send; `from` must be a sender verified at SendGrid."""

        api_key: Secret
        sender: Address = Field(alias="from", description="the address mails come from")
        from_name: Line | None = Field(default=None, description="the name beside it")
        base_url: Url = Field(
            default="https://api.sendgrid.com", description="EU: https://api.eu.sendgrid.com"
        )
        sandbox_mode: bool = Field(
            default=False, description="SendGrid checks every mail and sends none"
        )

    settings: Settings

    @action(effect=unsafe, kind="message", needs=("mail.send",), recipient="to.email")
    async def send_template(self, call: Call, mail: TemplateMail) -> Outcome:
        """Send one mail from a dynamic template."""
        return await self._send(call, template_body(mail, self._sender(), call.job))

    @action(effect=unsafe, kind="message", needs=("mail.send",), recipient="to.email")
    async def send(self, call: Call, mail: PlainMail) -> Outcome:
        """Send one mail with its own subject and text."""
        return await self._send(call, plain_body(mail, self._sender(), call.job))

    @action(effect=unsafe, kind="alert", needs=("mail.send",))
    async def alert(self, call: Call, mail: AlertMail) -> Outcome:
        """Send the people who run the hub one mail; for `alerts.channels`."""
        return await self._send(call, alert_body(mail, self._sender(), call.job))

    def classify(self, answer: Answer) -> CallError | None:
        """Read when a spent budget is full again; all else is as the tables say."""
        if answer.status != 429:
            return None
        pause = _until_reset(answer.headers)
        return None if pause is None else RateLimited(f"{self.name} answered 429", after=pause)

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the Event Webhook's signature."""
        signing.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as SendGrid does; the secret is a private key here."""
        return signing.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield one event for each item of the delivery's array."""
        items = request.json()
        if not isinstance(items, list):
            raise ValueError("not an array of events")  # noqa: TRY004 -- the body's fault, not ours
        return [_event(item) for item in items]

    @classmethod
    def needed_events(cls) -> Iterable[str]:
        """Name the types that say what became of a mail: they settle uncertain jobs."""
        return endpoints.SETTLING

    async def subscriptions(self) -> Sequence[Subscription]:
        """Read the account's Event Webhooks."""
        return await endpoints.listed(self.http, EVENTS)

    async def subscribe(self, wanted: Wanted, key: str) -> Made:
        """Make a signed Event Webhook; SendGrid refuses a second one for the same URL."""
        return await endpoints.made(self.http, wanted, EVENTS)

    async def resubscribe(self, have: Subscription, wanted: Wanted) -> None:
        """Enable and sign an Event Webhook, and add to what it hears."""
        await endpoints.mended(self.http, have, wanted, EVENTS)

    async def check(self) -> list[Check]:
        """Ask for the key's scopes. Source: /v3/scopes."""
        try:
            scopes = (await self.http.get("/v3/scopes")).json()["scopes"]
        except AuthFailed as error:
            fix = "make a new API key with the scope mail.send"
            return [Check("api_key", "fail", str(error), fix)]
        needs = sorted({need for spec in self.actions().values() for need in spec.needs})
        return [Check("api_key", "ok"), *(_scope(need, scopes) for need in needs)]

    def _sender(self) -> vendor.From:
        return address(vendor.From, self.settings.sender, self.settings.from_name)

    async def _send(self, call: Call, body: dict[str, Json]) -> Outcome:
        if self.settings.sandbox_mode:
            body["mail_settings"] = {"sandbox_mode": {"enable": True}}
        answer = await call.http.post("/v3/mail/send", json=body)
        return Outcome(ref=answer.headers.get("X-Message-Id"))


def _scope(need: str, scopes: Json) -> Check:
    if need in scopes:
        return Check(need, "ok")
    return Check(need, "fail", f"the key lacks the scope {need}", f"give the key {need}")


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Give the seconds to X-RateLimit-Reset (Unix seconds), by SendGrid's own clock."""
    try:
        sent = parsedate_to_datetime(headers["Date"]).timestamp()
        pause = int(headers["X-RateLimit-Reset"]) - sent
    except (KeyError, ValueError):
        return None
    return min(max(pause, 0.0), LONGEST_PAUSE)


def _event(item: Json) -> Event:
    """Read one item of a delivery."""
    if not isinstance(item, dict) or not isinstance(item.get("event"), str):
        raise ValueError("an item that is no event")  # noqa: TRY004 -- as above
    return Event(
        type=item["event"],
        at=datetime.fromtimestamp(item["timestamp"], UTC),
        data=item,
        # The hub would take the whole body's hash for each item of it that bears no id.
        ext_id=item.get("sg_event_id") or hashlib.sha256(write_json(item)).hexdigest(),
        job=_echoed(item),
        failed=item["event"] == "dropped",
    )


def _echoed(item: Mapping[str, Json]) -> str | None:
    """Find our job's uid: custom args stand at the item's top level, or in unique_args."""
    nested = item.get("unique_args")
    for args in (item, nested if isinstance(nested, dict) else {}):
        if isinstance(uid := args.get("hub_job"), str):
            return uid
    return None
