"""Subscribers: who is sent our own signed webhooks, and the jobs that an event makes for them.

Pure. The body is the event as `GET /v1/events` gives it, fixed when the job is written; the
webhook's id is the event's, on every attempt and in every replay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.effects import deduped
from hub.ids import new_id
from hub.model import Event, NewJob, write_json
from hub.secrets import Secret

CONNECTOR, ACTION = "webhook", "deliver"
EFFECT = deduped(timedelta(days=35))  # receivers drop a webhook-id they know
FRESH_FOR = timedelta(hours=24)
LIVE, LATER = 0, 2  # classes of jobs: as they happen, replays
Ordered = Literal["no", "aggregate", "all"]
Managed = Literal["api", "config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs deliveries: `whsec_…` (HMAC) or `whsk_…` (Ed25519).

    Args:
        until: From then on it signs no more; None: it is in force.
    """

    secret: Secret
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One webhook endpoint: an account of its own, with its own breaker, budget and order.

    Args:
        types: Names of events, or names ending in `.*`; none: all that the feed has.
        ordered: One delivery after the other: of each aggregate, or of all events.
        origins: Which events are taken; a backfill only while younger than a day.
        keys: All that may sign, the newest first; read only where something is to be signed.
    """

    id: str
    url: str
    types: tuple[str, ...] = ()
    ordered: Ordered = "no"
    origins: frozenset[str] = frozenset({"live", "backfill"})
    managed: Managed = "api"
    keys: tuple[SigningKey, ...] = ()

    @property
    def account(self) -> str:
        """Name the account whose breaker, budget and hold are this subscriber's."""
        return account_of(self.id)

    def takes(self, event: Event, now: datetime) -> bool:
        """Say whether an event that happens now is for this subscriber."""
        old = event.origin == "backfill" and now - event.at > FRESH_FOR
        return event.origin in self.origins and not old and self.hears(event.type)

    def hears(self, name: str) -> bool:
        """Say whether events of this name are for this subscriber, wherever they come from."""
        return not self.types or any(
            name == one or (one.endswith(".*") and name.startswith(one[:-1])) for one in self.types
        )

    def signing(self, now: datetime) -> list[Secret]:
        """Give the keys that sign at a time: while one is replaced, both."""
        return [key.secret for key in self.keys if key.until is None or now < key.until]


def account_of(ident: str) -> str:
    """Name a subscriber's account."""
    return f"{CONNECTOR}/{ident}"


def subscriber_of(account: str) -> str | None:
    """Read whose account it is; None where it is no subscriber's.

    >>> subscriber_of("webhook/we_1"), subscriber_of("stripe"), subscriber_of("webhook")
    ('we_1', None, None)
    """
    connector, _, ident = account.partition("/")
    return ident if connector == CONNECTOR and ident else None


def deliveries(subscribers: Iterable[Subscriber], event: Event, now: datetime) -> list[NewJob]:
    """Write an event's deliveries."""
    due = [one for one in subscribers if one.takes(event, now)]
    body = write_json(event.envelope()) if due else b""
    return [delivery(one, event, now, body=body) for one in due]


def delivery(
    to: Subscriber,
    event: Event,
    now: datetime,
    *,
    body: bytes | None = None,
    again: int = 0,
    prio: int = LIVE,
) -> NewJob:
    """Write the delivery of one event to one subscriber.

    Args:
        body: The event as the feed gives it, where that has been written already.
        again: How many deliveries of the event to this subscriber there were before.
    """
    return NewJob(
        uid=new_id("job", now),
        connector=CONNECTOR,
        account=to.account,
        action=ACTION,
        effect=EFFECT.kind,
        key=f"{event.id}:{to.id}" + (f":r{again}" if again else ""),
        lane=_lane(to, event),
        event_id=event.id,
        payload=write_json(event.envelope()) if body is None else body,
        due_at=now,
        prio=prio,
    )


def _lane(to: Subscriber, event: Event) -> str | None:
    if to.ordered == "all":
        return to.id
    if to.ordered == "aggregate" and event.aggregate is not None:
        return f"{to.id}:{event.aggregate.id}"
    return None
