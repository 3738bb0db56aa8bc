"""Connector type `inbound`: any scheme of the library from YAML, its events read by expressions.

    forms:
      type: inbound
      settings:
        scheme: hmac
        header: X-Signature
        event_id: "{{ body.id }}"
        event_type: "{{ body.kind }}"
      webhooks: { secrets: ["${env:FORMS_SECRET}"] }

Its events are `forms.<type>`, their data the body (or one item of it). It tells no payment facts:
where a scheme signs less than the body, only ids are to be believed.
"""

import builtins
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import Field, create_model

from hub.effects import Signing
from hub.errors import SignatureError
from hub.expr import Expr
from hub.model import Event, Json, Request, read_json
from hub.plugin import Connector, ConnectorSettings, Reply, Url
from hub.secrets import Secret
from webhooks import schemes
from webhooks.library import SCHEMES, Scheme
from webhooks.schemes import WINDOW
from webhooks.signers import Free, Signer

NOWHERE = "https://nowhere.invalid"
FORM = "application/x-www-form-urlencoded"
LONGEST_ID, LONGEST_TYPE, MOST_EVENTS = 255, 120, 1000
MILLISECONDS = 10**11  # a time in seconds reaches this in the year 5138
_ODD = re.compile(r"[^A-Za-z0-9_-]+")


class OfRequest(Expr):
    """Reads a request: `body` (JSON or form), `headers` (lower-case names), `query`."""

    names: ClassVar[tuple[str, ...]] = ("body", "headers", "query")


class OfItem(Expr):
    """Reads a request, and one `item` of it."""

    names: ClassVar[tuple[str, ...]] = ("body", "headers", "query", "item")


class InboundSettings(ConnectorSettings):
    """How events are read out of a request; what else there is to set hangs on the scheme."""

    base_url: Url = Field(default=NOWHERE, description="not used: nothing is called")
    scheme: Literal[tuple(SCHEMES)] = Field(  # type: ignore[valid-type] # the names of a table
        description="how the provider signs: a name of docs/webhooks.md"
    )
    each: OfRequest | None = Field(default=None, description="the items, where there are several")
    event_id: OfItem = Field(description="what tells a repeat of the same event")
    event_type: OfItem = Field(description="the type, as routes name it behind the connector")
    event_time: OfItem | None = Field(
        default=None, description="Unix seconds or milliseconds, or RFC 3339; else of arrival"
    )


class Inbound(Connector):
    """Webhooks of any provider whose scheme is in the library; only a certificate is fetched."""

    type = "inbound"
    any_events = True
    scheme: ClassVar[Scheme | None] = None
    Settings: ClassVar[Any] = InboundSettings
    settings: Any

    @classmethod
    def configured(
        cls,
        name: str,  # noqa: ARG003 -- the scheme says all
        settings: Mapping[str, Json],
    ) -> builtins.type[Connector]:
        """Give the class of one scheme, with what can be set there."""
        named = settings.get("scheme")
        scheme = SCHEMES.get(named) if isinstance(named, str) else None
        if scheme is None:
            return cls  # the settings refuse it, and say what there is
        members = {
            "scheme": scheme,
            "Settings": _settings(scheme.signer, settings),
            "signature": _signing(scheme, settings),
            "signs_url": scheme.signing.url or "{url}" in str(settings.get("signed")),
            "fetches": scheme.signer.fetches_from(settings) is not None,
        }
        return builtins.type("Inbound", (cls,), members)

    def needs(self, request: Request, *, now: float) -> str | None:
        """Ask the scheme."""
        return self._signer.needs(request, now=now)

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check the request by the scheme."""
        self._signer.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        """Give the headers a POST of this body would carry.

        Raises:
            SignatureError: unsupported (the scheme puts its signature into body or URL).
        """
        bare = Request(method="POST", url=self.webhook_url, headers=(), body=body)
        signed = self._signer.sign(bare, secret, now=now)
        if (signed.body, signed.url) != (bare.body, bare.url):
            raise SignatureError("unsupported")
        return {name.decode(): value.decode() for name, value in signed.headers}

    def parse(self, request: Request) -> Iterable[Event]:
        """Yield an event, or one for each item; none of a provider's challenge."""
        body = read_body(request, self._signer)
        if self._signer.challenge(body) is not None:
            return
        scope = {"body": body, "headers": _headers(request), "query": _query(request)}
        for item in self._items(body, scope):
            yield self._event(item, scope | {"item": item}, request)

    def answer(self, request: Request) -> Reply | None:
        """Answer a challenge, or as the provider wants every request answered."""
        signer = self._signer
        try:
            asked = signer.challenge(read_body(request, signer))
        except (ValueError, SignatureError):
            asked = None  # it is kept as a dead job; the provider has done its part
        found = asked if asked is not None else signer.reply
        return None if found is None else Reply(body=found)

    def greet(self, request: Request) -> Reply | None:
        """Answer the GET or HEAD of a provider that tries the address first."""
        found = self._signer.greet(request)
        return None if found is None else Reply(body=found)

    def suspect(self, request: Request) -> str | None:
        """Ask the scheme what is odd about it."""
        return self._signer.suspect(request)

    # -- inside ------------------------------------------------------------------------------------
    @property
    def _signer(self) -> Signer:
        """Give the scheme; the settings are one, since their class is made of both."""
        found: Signer = self.settings
        return found

    def _items(self, body: Json, scope: Mapping[str, Json]) -> list[Json]:
        found = self.settings.each(scope) if self.settings.each else [body]
        if not isinstance(found, list):
            raise ValueError("each gives no list")  # noqa: TRY004 -- the body's fault, not ours
        if len(found) > MOST_EVENTS:
            raise ValueError(f"each gives more than {MOST_EVENTS} items")
        return found

    def _event(self, item: Json, scope: Mapping[str, Json], request: Request) -> Event:
        given = self.settings
        return Event(
            ext_id=_word("event_id", given.event_id(scope), LONGEST_ID),
            type=type_of(_word("event_type", given.event_type(scope), LONGEST_TYPE)),
            at=_time(given.event_time(scope)) if given.event_time else _arrival(request),
            data=item,
        )


def _settings(signer: type[Signer], settings: Mapping[str, Json]) -> Any:
    """Make the class of a scheme's settings; who is called, if anybody, is the provider."""
    base: Any = (InboundSettings, signer)
    more: dict[str, Any] = {}
    if (home := signer.fetches_from(settings)) is not None:
        called = Field(default=home, description="what the signature's check needs is read there")
        more["base_url"] = (Url, called)
    return create_model("Settings", __base__=base, __module__=__name__, **more)


def _signing(scheme: Scheme, settings: Mapping[str, Json]) -> Signing:
    """Declare the window that is set, where the scheme leaves that to settings."""
    if scheme.signer is not Free or "{t}" not in str(settings.get("signed")):
        return scheme.signing
    given = settings.get("window", WINDOW)
    window = float(given) if isinstance(given, int) else WINDOW  # else the settings refuse it
    return replace(scheme.signing, window=(window, window))


def type_of(text: str) -> str:
    """Give a provider's word as routes can name it: dots where it has other signs.

    Raises:
        ValueError: Nothing is left of it.

    >>> type_of("orders/create"), type_of("event:klaviyo.opened_email")
    ('orders.create', 'event.klaviyo.opened_email')
    """
    if not (found := _ODD.sub(".", text).strip(".")):
        raise ValueError("event_type gives nothing but signs")
    return found


def read_body(request: Request, signer: Signer) -> Json:
    """Read a body as its Content-Type says: a form, or else JSON.

    Raises:
        ValueError: It cannot be read.
    """
    kind = (request.header("Content-Type") or b"").partition(b";")[0].strip().lower()
    if kind.decode("latin-1") != FORM:
        return request.json() if request.body else None
    pairs = schemes.form(request.body)
    read = [(name, _value(name, text, signer)) for name, text in pairs if signer.reads(name)]
    return _gathered(read)


def _value(name: str, text: str, signer: Signer) -> Json:
    return read_json(text) if name in signer.texts else text


def _gathered(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """Give pairs as an object; a name that comes more than once has a list."""
    found: dict[str, list[Json]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _headers(request: Request) -> dict[str, Json]:
    texts = ((name.lower(), value) for name, value in request.headers)
    return _gathered((n.decode("latin-1"), v.decode("utf-8", "replace")) for n, v in texts)


def _query(request: Request) -> dict[str, Json]:
    return _gathered(schemes.form(request.url.partition("?")[2].encode("utf-8", "replace")))


def _word(name: str, value: Json, longest: int) -> str:
    """Give a text or whole number as text, of sane length."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError(f"{name} gives no text or number")
    if len(str(value)) > longest:
        raise ValueError(f"{name} gives more than {longest} characters")
    return str(value)


def _time(value: Json) -> datetime:
    """Read a time as providers write it."""
    if isinstance(value, bool):
        raise ValueError("event_time gives no time")  # noqa: TRY004 -- the body's fault, not ours
    try:
        if isinstance(value, str) and not value.isdecimal():
            at = datetime.fromisoformat(value)
        else:
            number = Decimal(value)
            seconds = number / 1000 if number >= MILLISECONDS else number
            at = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, TypeError, ArithmeticError, OSError) as error:
        raise ValueError("event_time gives no time") from error
    if at.tzinfo is None:
        raise ValueError("event_time gives a time without its zone")
    return at.astimezone(UTC)


def _arrival(request: Request) -> datetime:
    if request.received_at is None:
        raise ValueError("the request has no time of arrival; set event_time")
    return request.received_at
