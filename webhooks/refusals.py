"""Refused requests: what an address has left of its allowance, and the last ones, in memory alone.

Never: a body, a header's value or an address kept; a refused request on disk.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub import alerts, log
from hub.gcra import Allowance, Meter, Quota
from hub.model import Json, Request, rfc3339
from webhooks import causes
from webhooks.causes import Refused
from webhooks.doors import Door

KEPT = 100
ALLOWED = Quota(100, 60)
LOOKED_INTO = Quota(5, 1)
ALERT = Quota(1, 900)
MOST_NAMES, LONGEST_NAME = 60, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused request, as `hub webhooks watch` shows it.

    Args:
        offset: By how many seconds its signed time is ahead of our clock.
        cause: What likely is wrong, for a person.
    """

    at: datetime
    reason: str
    headers: Sequence[str]
    length: int
    sha256: str
    offset: float | None
    cause: str

    def json(self) -> dict[str, Json]:
        """Give it JSON-ready."""
        return {
            "at": rfc3339(self.at),
            "reason": self.reason,
            "headers": list(self.headers),
            "length": self.length,
            "sha256": self.sha256,
            "offset_s": self.offset,
            "cause": self.cause,
        }


class Refusals:
    """The refusals of one node.

    Args:
        allowed: So many requests of one address may be refused until it is told 429.
    """

    def __init__(self, doors: Mapping[str, Door], allowed: Quota = ALLOWED) -> None:
        self.doors = doors
        self._addresses, self._looks, self._alerts = (
            Meter(allowed),
            Meter(LOOKED_INTO),
            Meter(ALERT),
        )
        self._last: dict[str, deque[Refusal]] = {}
        self.log = log.get("webhooks")

    def charge(self, address: str, now: datetime) -> Allowance:
        """Charge one refusal to an address."""
        return self._addresses.spend(address, now.timestamp())

    def keep(
        self, door: Door, request: Request, reason: str, *, now: datetime, urls: Sequence[str]
    ) -> None:
        """Remember a refusal, look into it while there are few, and tell of it."""
        others = [other for other in self.doors.values() if other is not door]
        found = Refused(
            door=door, request=request, reason=reason, now=now, others=others, urls=urls
        )
        kept = self._refusal(found)
        self._last.setdefault(door.name, deque(maxlen=KEPT)).append(kept)
        self.log.warning("webhook refused", connector=door.name, reason=reason, cause=kept.cause)
        if reason != "missing" and self._alerts.spend(door.name, now.timestamp()).allowed:
            text = f"a webhook was refused ({reason}): {kept.cause}"
            fix = f"hub webhooks watch {door.name}"
            alerts.tell("webhook.rejected", about=door.name, text=text, fix=fix)

    def stray(self, name: str, why: str, now: datetime) -> None:
        """Tell of events that are signed right and yet not for this connector."""
        self.log.warning("event skipped", connector=name, reason=why)
        if self._alerts.spend(name, now.timestamp()).allowed:
            fix = "send it the events of its own mode, with that endpoint's secret"
            alerts.tell("webhook.rejected", about=name, text=f"events are skipped: {why}", fix=fix)

    def last(self, name: str) -> list[Refusal]:
        """Give the last refusals of a connector, the newest first."""
        return list(reversed(self._last.get(name, ())))

    def _refusal(self, found: Refused) -> Refusal:
        offset, cause = None, "not looked into: too many are refused at once"
        if self._looks.spend(found.door.name, found.now.timestamp()).allowed:
            offset, cause = causes.clock_offset(found), causes.cause(found)
        names = [name.decode("latin-1") for name, _ in found.request.headers[:MOST_NAMES]]
        return Refusal(
            at=found.now,
            reason=found.reason,
            headers=[_shown(name) for name in names],
            length=len(found.request.body),
            sha256=hashlib.sha256(found.request.body).hexdigest(),
            offset=offset,
            cause=cause,
        )


def _shown(name: str) -> str:
    """Give a header's name as it may be printed."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name[:LONGEST_NAME])
