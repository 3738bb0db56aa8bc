"""Subscriptions: where a provider sends which of its events, beside where it should. Pure.

Ours is what leads to our address. Nothing else is touched, and nothing is ever deleted.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from hub.errors import AuthFailed
from hub.model import Json
from hub.secrets import Secret

ALL = "*"
Does = Literal["add", "mend", "enable", "good", "stuck", "twice", "foreign"]
CHANGES: tuple[Does, ...] = ("add", "mend", "enable")
BY_HAND: tuple[Does, ...] = ("stuck", "twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One webhook endpoint as it is at the provider.

    Args:
        ref: The provider's id of it.
        events: The types it hears, as the connector names them; `*` means all.
        wrong: What else must be mended, and can be.
        stuck: What is wrong and cannot be changed there; a person must make it anew.
        secret: What its webhooks are verified with, where the provider shows it at any time.
    """

    ref: str
    url: str
    events: frozenset[str]
    enabled: bool = True
    wrong: str | None = None
    stuck: str | None = None
    secret: Secret | None = None

    def lacks(self, events: frozenset[str]) -> frozenset[str]:
        """Give what it does not hear of these."""
        return frozenset() if ALL in self.events else events - self.events


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The webhook endpoint that a connector needs."""

    url: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new endpoint, and the secret that some providers tell this once."""

    ref: str
    secret: Secret | None = None


@runtime_checkable
class Subscribes(Protocol):
    """A connector whose provider can be asked where it sends webhooks, and told.

    All but `needed_events` call the provider, by the connector's own `http`, and raise its
    CallErrors; AuthFailed names the permission that is missing.
    """

    @classmethod
    def needed_events(cls) -> Iterable[str]:
        """Name the types the connector needs for itself: for payment facts, to settle jobs."""
        ...

    async def subscriptions(self) -> Sequence[Subscription]:
        """Read all endpoints of the account."""
        ...

    async def subscribe(self, wanted: Wanted, key: str) -> Made:
        """Make an endpoint; the same key again makes no second one, where the provider can."""
        ...

    async def resubscribe(self, have: Subscription, wanted: Wanted) -> None:
        """Enable an endpoint and mend what is wrong; it goes on hearing what it hears."""
        ...


REFUSED = "the key is not accepted at all: revoked, rotated, or mistyped"


@asynccontextmanager
async def permitted(needs: str) -> AsyncIterator[None]:
    """Say beside each AuthFailed what it takes: another key, or what the key `needs`."""
    try:
        yield
    except AuthFailed as error:
        why = REFUSED if error.status == 401 else needs
        raise AuthFailed(f"{error}; {why}", status=error.status) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done with one endpoint, or why nothing is.

    Args:
        have: As it is; None where it is to be made.
        events: Types that it will hear beside those it hears.
    """

    does: Does
    url: str
    have: Subscription | None = None
    events: tuple[str, ...] = ()
    why: str = ""

    def shown(self, connector: str) -> dict[str, Json]:
        """Give it as JSON; no secret is in it."""
        return {
            "connector": connector,
            "does": self.does,
            "url": self.url,
            "endpoint": self.have and self.have.ref,
            "events": list(self.events),
            "why": self.why,
        }


def compare(have: Sequence[Subscription], wanted: Wanted) -> list[Step]:
    """Say what is to be done, ours first."""
    ours = sorted((s for s in have if s.url == wanted.url), key=lambda s: _rank(s, wanted))
    found = [_ours(one, wanted) for one in ours[:1]]
    if not ours:
        events = tuple(sorted(wanted.events))
        found = [
            Step(does="add", url=wanted.url, events=events, why="nothing comes to our address")
        ]
    why = "a second one for our address: what it hears comes twice"
    found += [Step(does="twice", url=one.url, have=one, why=why) for one in ours[1:]]
    others = [one for one in have if one.url != wanted.url]
    return found + [Step(does="foreign", url=one.url, have=one) for one in others]


def _rank(one: Subscription, wanted: Wanted) -> tuple[bool, bool, int, str]:
    """Put first the one that needs least."""
    return (one.stuck is not None, not one.enabled, len(one.lacks(wanted.events)), one.ref)


def _ours(one: Subscription, wanted: Wanted) -> Step:
    lacks = tuple(sorted(one.lacks(wanted.events)))
    if one.stuck is not None:
        return Step(does="stuck", url=one.url, have=one, events=lacks, why=one.stuck)
    off = None if one.enabled else "it is disabled"
    more = "it does not hear all that is needed" if lacks else None
    whys = [why for why in (off, more, one.wrong) if why is not None]
    does: Does = "mend" if lacks or one.wrong else "enable" if off else "good"
    return Step(does=does, url=one.url, have=one, events=lacks, why="; ".join(whys))
