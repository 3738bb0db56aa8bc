"""Stripe's event list as a source: what a webhook should have said, in the same JSON.

The list is newest first and takes 20 types a call, so one reading goes over it in parts, each to
its end; every page can be resumed from. Stripe keeps events for 30 days.
Source: https://docs.stripe.com/api/events/list, version 2026-10-28.endive (read 2026-11).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.stripe import inbound, sdk
from hub import Json, Page, read_json, write_json

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

MOST_TYPES, MOST = 20, 100
PARTS = tuple(
    inbound.TYPES[n : n + MOST_TYPES] for n in range(0, len(inbound.TYPES), MOST_TYPES)
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reading stands; Unix seconds.

    Args:
        since: For each part, how far this reading goes back.
        newest: The latest event of the present part so far.
        part: The part under way.
        after: The last event of the page before; None begins the part.
    """

    since: tuple[int, ...]
    newest: int = 0
    part: int = 0
    after: str | None = None

    @classmethod
    def of(cls, cursor: str | None, overlap: timedelta) -> "Place":
        """Read a cursor; a reading that begins goes back a little further."""
        if cursor is None:
            return cls(since=(0,) * len(PARTS))
        if not cursor.startswith("{"):
            return cls(since=(int(datetime.fromisoformat(cursor).timestamp()),) * len(PARTS))
        kept = read_json(cursor.encode())
        place = cls(**{**kept, "since": tuple(kept["since"])})
        if place.part or place.after:
            return place
        back = int(overlap.total_seconds())
        return replace(place, since=tuple(max(0, at - back) for at in place.since))

    def params(self) -> dict[str, Any]:
        """Give the parameters of the next call."""
        after = {"starting_after": self.after} if self.after else {}
        gte = {"created": {"gte": self.since[self.part]}}
        return {"types": list(PARTS[self.part]), "limit": MOST, **gte, **after}

    def beyond(self, found: list[Mapping[str, Json]], *, more: bool) -> "Place":
        """Move past a page."""
        newest = max([self.newest, *(event["created"] for event in found)])
        if more and found:
            return replace(self, newest=newest, after=found[-1]["id"])
        since = list(self.since)
        since[self.part] = max(newest, since[self.part])
        part = (self.part + 1) % len(PARTS)
        return Place(since=tuple(since), part=part)

    def cursor(self) -> str:
        """Write it down."""
        return write_json(asdict(self)).decode()


async def page(v1: "V1Services", cursor: str | None, overlap: timedelta) -> Page:
    """Read one page, its events oldest first."""
    place = Place.of(cursor, overlap)
    listing: Any = v1.events.list_async  # its parameters are typed by name
    answer = await sdk.read(listing(place.params()))
    found = list(answer.get("data") or ())
    then = place.beyond(found, more=bool(answer.get("has_more")))
    more = bool(then.part or then.after)
    return Page(records=tuple(reversed(found)), cursor=then.cursor(), more=more)
