"""SendGrid's double: it checks mails as SendGrid does, keeps them, and reports what became of them.

Faults beside the common ones: `dropped` and `bounce` (of the next mail), `silent` (no report).
Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send (v3; read 2026-11).
"""

import base64
import hashlib
import math
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from functools import partial
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.sendgrid import SendGrid
from connectors.sendgrid.endpoints import SETTINGS
from connectors.sendgrid.refusals import refusals
from connectors.sendgrid.sandbox_endpoints import EventWebhooks, Refused
from hub import Json, Secret, read_json, write_json
from hub.sandbox import Double, Endpoint, Handler

SCOPES = ("mail.send", "mail.batch.create", "templates.read", "user.webhooks.event.settings.read")
REVOKED, READONLY = "Bearer revoked", "Bearer readonly"
ENDS = {"dropped": ("dropped",), "bounce": ("processed", "bounce"), "silent": ()}
REASONS = {
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "bounce": {"reason": "550 5.1.1 no such user", "status": "5.1.1", "type": "bounce"},
    "delivered": {"response": "250 OK"},
}


class Sandbox(Double):
    """It knows every key but `revoked`; the key `readonly` may not send.

    `mails` holds what was taken, by hub_job (or its message id where there is none).
    """

    connector = SendGrid
    OWN_FAULTS = frozenset(ENDS)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.mails: dict[str, list[dict[str, Json]]] = {}
        self.taken = self.told = 0
        self.hooks = EventWebhooks(self.state, self.new_keys)

    def routes(self) -> list[web.RouteDef]:
        """Give SendGrid's paths."""
        one, signed, hooks = f"{SETTINGS}/{{id}}", f"{SETTINGS}/signed/{{id}}", self.hooks
        return [
            web.post("/v3/mail/send", self.send),
            web.get("/v3/scopes", self.scopes),
            web.get(f"{SETTINGS}/all", self._hook(lambda *_: hooks.all())),
            web.post(SETTINGS, self._hook(lambda _, body: hooks.create(body), 201)),
            web.get(signed, self._hook(lambda i, _: hooks.shown(i))),
            web.patch(signed, self._hook(lambda i, body: hooks.sign(i, body.get("enabled")))),
            web.get(one, self._hook(lambda i, _: hooks.shown(i))),
            web.patch(one, self._hook(hooks.update)),
            web.delete(one, self._hook(lambda i, _: hooks.delete(i), 204)),
        ]

    def send_to(self, url: str, secret: Secret) -> None:
        """Have a signed webhook, made by hand."""
        self.hooks.replace(url, secret)

    def _hook(self, act: Callable[[str, Any], Json], status: int = 200) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if (refusal := _unauthorized(request)) is not None:
                return refusal
            if request.headers["Authorization"] == READONLY and request.method != "GET":
                return _errors(403, [("access forbidden", None)])
            try:
                body = read_json(await request.read()) if request.can_read_body else {}
                made = act(request.match_info.get("id", ""), body)
            except (Refused, ValueError) as error:
                code, text = error.args if isinstance(error, Refused) else (400, "Bad Request")
                return _errors(code, [(text, None)])
            return (
                web.Response(status=204)
                if status == 204
                else web.json_response(made, status=status)
            )

        return handle

    async def scopes(self, request: web.Request) -> web.StreamResponse:
        """Name what the key may do."""
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        mine = SCOPES[2:] if request.headers["Authorization"] == READONLY else SCOPES
        return web.json_response({"scopes": list(mine)})

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Take one mail for each personalization, or say all that is wrong."""
        if (refusal := _unauthorized(request)) is not None:
            return refusal
        if request.headers["Authorization"] == READONLY:
            return _errors(403, [("access forbidden", None)])
        try:
            body = read_json(await request.read())
        except ValueError:
            return _errors(400, [("Bad Request", None)])
        if found := refusals(body):
            return _errors(400, found)
        if body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return web.Response(status=200)
        message_id = self._message_id(body)
        for person in body["personalizations"]:
            self._take(message_id, body, person)
        return web.Response(status=202, headers={"X-Message-Id": message_id})

    def report(self, mail: dict[str, Json], *kinds: str) -> None:
        """Send one delivery that says what became of a mail; it ends with CRLF, as theirs do."""
        events = [self._event(mail, kind) for kind in kinds]
        for heard in {endpoint.types for endpoint in self.state.endpoints}:
            mine = [one for one in events if heard is None or one["event"] in heard]
            if mine:
                self.emit(write_json(mine) + b"\r\n", partial(_hears_just, heard))

    def too_many(self, after: float) -> web.StreamResponse:
        """Answer 429; SendGrid says when the budget is full again, not how long to wait."""
        now = self.clock.now().replace(microsecond=0)
        headers = {
            "Date": format_datetime(now, usegmt=True),
            "X-RateLimit-Limit": "600",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(now.timestamp()) + math.ceil(after)),
        }
        return _errors(429, [("too many requests", None)], headers)

    @staticmethod
    def new_keys() -> tuple[Secret, Secret]:
        """Make a pair of keys: an endpoint's secret, and what the hub verifies with."""
        private = ec.generate_private_key(ec.SECP256R1())
        der = serialization.Encoding.DER
        sealed = private.private_bytes(
            der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = private.public_key().public_bytes(
            der, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Secret(base64.b64encode(sealed), "private"), Secret(
            base64.b64encode(public), "public"
        )

    def _take(self, message_id: str, body: dict[str, Json], person: dict[str, Json]) -> None:
        args = body.get("custom_args", {}) | person.get("custom_args", {})
        key = args.get("hub_job", message_id)
        for to in person["to"]:
            mail = {
                "id": message_id,
                "to": to["email"],
                "template_id": body.get("template_id"),
                "subject": person.get("subject", body.get("subject")),
                "data": person.get("dynamic_template_data", {}),
                "categories": body.get("categories", []),
                "custom_args": args,
            }
            self.mails.setdefault(key, []).append(mail)
            self.effect("mail", message_id, key, mail)
            fault = next((name for name in ENDS if self._fault(name)), None)
            if kinds := ENDS[fault] if fault else ("processed", "delivered"):
                self.report(mail, *kinds)

    def _message_id(self, body: dict[str, Json]) -> str:
        """Make an id that another run of the double does not make again."""
        self.taken += 1
        return _token(write_json(body), self.taken, self.clock.now().isoformat())

    def _event(self, mail: dict[str, Json], kind: str) -> dict[str, Json]:
        self.told += 1
        return {
            "email": mail["to"],
            "timestamp": int(self.clock.now().timestamp()),
            "event": kind,
            "sg_event_id": _token(mail["id"], kind, self.told),
            "sg_message_id": f"{mail['id']}.recvd-sandbox-1",
            "smtp-id": f"<{mail['id']}@sandbox>",
            "category": mail["categories"],
            **REASONS.get(kind, {}),
            **mail["custom_args"],
        }


def _hears_just(kinds: frozenset[str] | None, endpoint: Endpoint) -> bool:
    return endpoint.types == kinds


def _token(*parts: object) -> str:
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return base64.urlsafe_b64encode(digest[:18]).decode()


def _unauthorized(request: web.Request) -> web.StreamResponse | None:
    sent = request.headers.get("Authorization", "")
    if sent.startswith("Bearer ") and sent != REVOKED:
        return None
    return _errors(
        401, [("The provided authorization grant is invalid, expired, or revoked", None)]
    )


def _errors(
    status: int, found: Sequence[tuple[str, str | None]], headers: dict[str, str] | None = None
) -> web.StreamResponse:
    errors = [{"message": text, "field": field, "help": None} for text, field in found]
    return web.json_response({"errors": errors}, status=status, headers=headers)
