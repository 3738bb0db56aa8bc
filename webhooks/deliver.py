"""Our own webhooks, out: signed as Standard Webhooks has it, delivered by connector type `webhook`.

    webhook:
      type: webhook
      settings:
        endpoints:
          warehouse: { url: https://wms.example.com/hook, secrets: ["${env:WMS_SECRET}"] }

A receiver may also come and go through /v1/webhook-endpoints. The id is the event's, on every
attempt; the time is the attempt's; while a key is replaced, the old and the new one sign.
Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, and its pull
request 291 for `webhook-delivery` (read 2026-11).
"""

import base64
import builtins
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
)

from hub.errors import CallError, Reject, Retry, SignatureError, Skip, Unwanted
from hub.model import Json, Outcome, write_json
from hub.plugin import Answer, Call, Connector, ConnectorSettings, Http, Url, action
from hub.secrets import Secret
from hub.subscribers import CONNECTOR, EFFECT, Ordered, SigningKey, Subscriber
from webhooks import schemes
from webhooks.providers.standard import key_of

NOWHERE = "https://nowhere.invalid"
TIMEOUT = 20.0  # seconds for an attempt; the specification asks for 15 to 30
SHORTEST, LONGEST = 24, 64  # bytes of an HMAC key
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
EVENT_TYPE = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$"


# Whatever else a receiver answers, the next attempt may go well; 429, and 503 with a Retry-After,
# slow the whole account down.
AGAIN = {status: Retry for status in range(300, 600) if status not in (410, 429, 503)}


# -- signing ---------------------------------------------------------------------------------------
def signed(ident: str, body: bytes, keys: Iterable[Secret], *, now: datetime) -> dict[str, str]:
    """Give the three headers of a delivery; every key signs, the newest first.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 1, tzinfo=UTC)
    >>> key = Secret("whsec_" + "QUJD" * 8)
    >>> signed("evt_1", b"{}", [key], now=at)["webhook-timestamp"]
    '1793491200'
    """
    stamp = str(int(now.timestamp()))
    message = f"{ident}.{stamp}.".encode() + body
    listed = [signature(message, key) for key in keys]
    return {
        "webhook-id": ident,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(listed),
    }


def signature(message: bytes, secret: Secret) -> str:
    """Sign with one key: `v1` by HMAC, `v1a` by Ed25519.

    Raises:
        SignatureError: It is no key that can sign.
    """
    kind, key = key_of(secret)
    if kind == "whsec":
        return "v1," + schemes.hmac_b64(key, message).decode()
    if kind == "whsk":
        return "v1a," + base64.b64encode(schemes.ed25519_sign(key, message)).decode()
    raise SignatureError("unsupported")


def new_key(raw: bytes, *, asymmetric: bool = False) -> Secret:
    """Make a key of 32 random bytes."""
    text = ("whsk_" if asymmetric else "whsec_") + base64.b64encode(raw).decode()
    return Secret(text, "new")


def public_key(secret: Secret) -> str | None:
    """Give what verifies a `whsk_…` key's signatures, as `whpk_…`; None for a secret both share."""
    kind, key = key_of(secret)
    if kind != "whsk":
        return None
    return "whpk_" + base64.b64encode(schemes.ed25519_public(key)).decode()


def jwks(keys: Iterable[Secret]) -> dict[str, Json]:
    """Give the public keys as a JSON Web Key Set. Source: RFC 8037 §2, RFC 7638."""
    raw = [schemes.ed25519_public(key) for kind, key in map(key_of, keys) if kind == "whsk"]
    return {"keys": [_jwk(public) for public in raw]}


def _jwk(public: bytes) -> dict[str, Json]:
    x = _url64(public)
    thumb = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    made = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": _url64(thumb)}
    return made | {"alg": "EdDSA", "use": "sig"}


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def check_key(secret: Secret) -> Secret:
    """Let a key through that can sign: `whsec_` with 24 to 64 bytes, or `whsk_` with 32 or 64.

    Raises:
        ValueError: It cannot.
    """
    try:
        kind, key = key_of(secret)
    except SignatureError:
        kind, key = "", b""
    if not secret.reveal().startswith(f"{kind}_".encode()):
        kind = ""  # in the raw it might be anything
    if kind == "whsec" and SHORTEST <= len(key) <= LONGEST:
        return secret
    if kind == "whsk" and len(key) == 32:
        return secret
    raise ValueError("must be whsec_ and 24 to 64 bytes in base64, or a private key whsk_…")


# -- settings --------------------------------------------------------------------------------------
def _span(value: Any) -> Any:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else value


Span = Annotated[timedelta, BeforeValidator(_span), Field(strict=True)]
EventName = Annotated[str, StringConstraints(pattern=EVENT_TYPE, max_length=200)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
HookUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s#]+$", max_length=2000)]


class Endpoint(BaseModel):
    """A subscriber that stands in config.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    url: HookUrl = Field(description="where its webhooks go; https, but in egress.allow_private")
    secrets: tuple[Annotated[Secret, AfterValidator(check_key)], ...] = Field(
        min_length=1, max_length=4, description="`whsec_…` or `whsk_…`; all of them sign"
    )
    types: tuple[EventName, ...] = Field(
        default=(), description="events it wants, also as `shop.order.*`; none: all of the feed"
    )
    ordered: Ordered = Field(
        default="no", description="`no`, `aggregate` or `all`: what is delivered in order"
    )


class WebhookSettings(ConnectorSettings):
    """Who subscribes in config.yaml, and when whoever does not listen is left alone."""

    base_url: Url = Field(default=NOWHERE, description="not used: each has a URL of its own")
    disable_after: Span = Field(
        default=timedelta(days=5), description="days in which nothing was taken disable it"
    )
    endpoints: dict[Name, Endpoint] = Field(default={}, description="subscribers, by name")

    def subscribers(self) -> list[Subscriber]:
        """Give those that stand in config.yaml."""
        return [
            Subscriber(
                id=name,
                url=one.url,
                types=one.types,
                ordered=one.ordered,
                managed="config",
                keys=tuple(SigningKey(secret=secret) for secret in one.secrets),
            )
            for name, one in self.endpoints.items()
        ]


# -- delivering ------------------------------------------------------------------------------------
class Message(RootModel[dict[str, Any]]):
    """An event as `GET /v1/events` gives it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL as a connector calls it: its origin, and all that follows."""

    base: str
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Take a URL apart."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        rest = url[len(base) :]
        return cls(base, rest if rest.startswith("/") else "/" + rest)


class Webhook(Connector):
    """Anyone who subscribes to our events; 2xx alone means that one was taken.

    Never: a redirect followed, a secret of one subscriber used for another.
    """

    type = CONNECTOR
    Settings: ClassVar[Any] = WebhookSettings
    statuses: ClassVar[Mapping[int, builtins.type[CallError]]] = AGAIN
    settings: Any
    subscriber: Subscriber | None = None

    def of(self, subscriber: Subscriber, http: Http) -> "Webhook":
        """Give the connector of one subscriber."""
        made = Webhook(subscriber.account, self.settings, http)
        made.subscriber = subscriber
        return made

    @action(effect=EFFECT, timeout=TIMEOUT)
    async def deliver(self, call: Call, message: Message) -> Outcome:
        """Send one event, signed."""
        to = self.subscriber
        if to is None:
            raise Reject("a delivery names its subscriber")
        body, now = write_json(message.root), call.clock.now()
        headers = signed(str(message.root["id"]), body, to.signing(now), now=now)
        headers["Content-Type"] = "application/json"
        await call.http.post(Target.of(to.url).path, data=body, headers=headers)
        return Outcome()

    def classify(self, answer: Answer) -> CallError | None:
        """Heed what a receiver says beyond its status."""
        wish = {n.lower(): v for n, v in answer.headers.items()}.get("webhook-delivery", "")
        if answer.status == 410 or wish.strip().lower() == "disable":
            return Unwanted(f"the receiver wants no more (answered {answer.status})")
        if wish.strip().lower() == "abort-message":
            return Skip(f"the receiver wants this message no more (answered {answer.status})")
        return None
