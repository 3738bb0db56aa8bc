"""What repeating does, how often an account may be called, how either side proves itself."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Kind = Literal["read", "write", "message", "money", "alert"]
Coverage = Literal["body", "partial", "none"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What repeating an action does; decides what follows an unknown outcome."""

    kind: Literal["keyed", "upsert", "deduped", "unsafe", "read"]
    window: timedelta | None = None
    by: str | None = None

    def __str__(self) -> str:
        return self.kind


def keyed(window: timedelta) -> Effect:
    """The provider takes an idempotency key and remembers it for `window`."""
    return Effect("keyed", window=window)


def upsert(by: str) -> Effect:
    """The provider finds or makes by the natural key `by`: repeating changes nothing."""
    return Effect("upsert", by=by)


def deduped(window: timedelta) -> Effect:
    """The provider drops repeats by an id of ours, as best it can, for `window`."""
    return Effect("deduped", window=window)


unsafe = Effect("unsafe")
"""Repeating does it again: an unknown outcome is parked, never guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateHeaders:
    """The headers of an answer that tell a limit.

    Args:
        remaining: How many calls are left.
        limit: How many there are in all.
        reset: When they are all back: seconds, or a time in unix seconds.
    """

    remaining: str
    limit: str | None = None
    reset: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in `per` seconds, for the account or for each operation.

    Args:
        calls: None: nobody publishes it; only the provider's headers tell it.
        headers: Where answers say what is left of it.
    """

    calls: int | None
    per: float
    by: Literal["account", "operation"] = "account"
    headers: RateHeaders | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What the signature of a provider's webhooks is worth: declared, never read off a request.

    Args:
        covers: `body`: every byte we use is signed. `partial`, `none`: only ids are believed.
        window: Seconds a signed time may be old, and ahead; None where no time is signed.
        dedupe: What tells a repeat of the same event.
        overlap: While a secret is changed the provider signs with the old and the new one.
        url: Our public URL is signed too.
        again: For how long after it happened an event may come, or be listed, again.
    """

    covers: Coverage
    dedupe: str
    source: str
    window: tuple[float, float] | None = None
    overlap: bool = False
    url: bool = False
    again: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Auth:
    """How an account's credential is sent; made by `bearer`, `basic` or `header`."""

    make: Callable[[Any], Mapping[str, str]]

    def headers(self, settings: Any) -> Mapping[str, str]:
        """Give the headers that carry the credential."""
        return self.make(settings)


def bearer(name: str) -> Auth:
    """Send the setting `name` as a bearer token."""
    return Auth(lambda settings: {"Authorization": f"Bearer {getattr(settings, name).text()}"})


def header(title: str, name: str, *, prefix: str = "") -> Auth:
    """Send the setting `name` in the header `title`, after a prefix such as `Api-Key `."""
    return Auth(lambda settings: {title: prefix + getattr(settings, name).text()})


def basic(user: str, password: str | None = None) -> Auth:
    """Send the settings `user` and `password` (or an empty one) as HTTP Basic."""

    def make(settings: Any) -> Mapping[str, str]:
        pair = getattr(settings, user).reveal() + b":"
        pair += getattr(settings, password).reveal() if password else b""
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    return Auth(make)
