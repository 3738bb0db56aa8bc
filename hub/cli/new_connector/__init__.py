"""Acme: sends text messages, and reports what became of them. All of it is made up.

Source: https://docs.acme.example (name the page, its version and the day you read it).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel

from hub import (
    Call,
    Connector,
    ConnectorSettings,
    Event,
    Outcome,
    Request,
    Secret,
    Url,
    action,
    bearer,
    schemes,
    unsafe,
)

SIGNING = schemes.Hmac(header="Acme-Signature", time_header="Acme-Time", signed="{t}.{body}")


class Message(BaseModel):
    """One text message: what a mapping has to make."""

    to: str
    text: str


class Acme(Connector):
    """Acme delivers its webhooks in any order, and some of them twice."""

    type = "acme"
    auth = bearer("api_key")
    emits = dict.fromkeys(("message.sent", "message.failed"))

    class Settings(ConnectorSettings):
        """The key needs the permission to send."""

        api_key: Secret
        base_url: Url = "https://api.acme.example"

    settings: Settings

    @action(effect=unsafe, kind="message")
    async def send_message(self, call: Call, message: Message) -> Outcome:
        """Send one message; Acme takes no idempotency key. Source: docs.acme.example/messages."""
        body = message.model_dump() | {"reference": call.job}
        answer = await call.http.post("/messages", json=body)
        return Outcome(ref=answer.json()["id"])

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check Acme-Signature. Source: docs.acme.example/webhooks."""
        SIGNING.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Sign as Acme does."""
        return SIGNING.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield the delivery's one event; it brings our job's uid back as `reference`."""
        body = request.json()
        yield Event(
            ext_id=body["id"],
            type=body["type"],
            at=datetime.fromisoformat(body["at"]),
            data=body["message"],
            job=body["message"].get("reference"),
            failed=body["type"] == "message.failed",
        )
