"""Compare what two configurations would send for the same events; nothing is sent or written.

Pure: routers and events in, differences out. Each event is routed as when it was recorded, with the
origin it had, so that a plan shows what the other configuration would have done then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeAlias

from hub.errors import HubError
from hub.model import Aggregate, Event, Json, NewJob, read_json
from hub.personal import Mask
from hub.routing import Route, Router, Scope, scope, written

Found: TypeAlias = Literal["same", "changed", "new", "gone", "fails"]
Marked = Callable[[Event], Iterable[str]]
FOUND: tuple[Found, ...] = ("same", "changed", "new", "gone", "fails")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is sent differently; None where one side has none."""

    path: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What becomes of one event on one route.

    Args:
        error: Why the new one fails.
        failed: The old one failed as well.
        fields: What differs; of a new or gone job all that it sends.
    """

    event: Event
    route: str
    found: Found
    does: str
    error: str = ""
    failed: bool = False
    fields: tuple[Difference, ...] = ()


@dataclass(slots=True)
class Tally:
    """What becomes of all events on one route."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FOUND, 0))
    told: list[Planned] = field(default_factory=list)

    def add(self, planned: Planned) -> None:
        """Count one; keep it unless it is the same."""
        self.counts[planned.found] += 1
        if planned.found != "same":
            self.told.append(planned)


class Plan:
    """Compares two configurations, event by event; what both do alike is done once.

    Args:
        marked: Gives the texts of an event that its schema marks as personal.
    """

    def __init__(self, old: Router, new: Router, marked: Marked = lambda _: ()) -> None:
        self._marked = marked
        names = dict.fromkeys((*new.by_name, *old.by_name))
        self._pairs = [(name, old.by_name.get(name), new.by_name.get(name)) for name in names]
        both = ((name, one, other) for name, one, other in self._pairs if one and other)
        self._alike = {name for name, one, other in both if _same(one, other)}

    @property
    def routes(self) -> list[str]:
        """Name the routes of both."""
        return [name for name, _, _ in self._pairs]

    def compare(self, event: Event, *, reveal: bool = False) -> Iterator[Planned]:
        """Yield what becomes of an event, by route: those of the new configuration first.

        Args:
            reveal: Leave personal data as it is.
        """
        names = scope(event)
        for name, one, other in self._pairs:
            after = _job(other, event, names)
            before = after if name in self._alike else _job(one, event, names)
            if job := after or before:
                does = f"{job.connector}.{job.action}"
                mask = None if reveal else partial(self._mask, event)
                about = _About(event=event, route=name, does=does, mask=mask)
                yield _planned(about, before, after)

    def _mask(self, event: Event) -> Mask:
        return Mask(event.data, self._marked(event))


def _same(one: Route, other: Route) -> bool:
    """Say whether two routes write the same jobs, whatever the event."""
    return all(getattr(one, part) == getattr(other, part) for part in _PARTS) and (
        one.map is other.map
        or (one.mapping_hash is not None and one.mapping_hash == other.mapping_hash)
    )


_PARTS = ("on", "origins", "fresh_for", "when", "connector", "action", "order_by", "key")


class Findings:
    """What becomes of all events, by route; counts those whose data is no longer kept."""

    def __init__(self, plan: Plan, *, reveal: bool = False) -> None:
        self._plan, self._reveal = plan, reveal
        self.routes = {name: Tally() for name in plan.routes}
        self.unread = 0

    def add(self, told: Json) -> None:
        """Compare one event, as `hub events show` prints it.

        Raises:
            HubError: It is none.
        """
        if isinstance(told, dict) and told.get("data", 0) is None:
            self.unread += 1
            return
        try:
            event = event_of(told)
        except ValueError as error:
            raise HubError(f"this is no event: {error}") from error
        for planned in self._plan.compare(event, reveal=self._reveal):
            self.routes[planned.route].add(planned)


def event_of(told: Json) -> Event:
    """Read an event as `hub events show` prints it; only `type` and `data` are needed.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(told, dict) or not isinstance(told.get("type"), str) or "data" not in told:
        raise ValueError("an event has a type and data")
    about, at = told.get("aggregate"), told.get("occurred_at") or "1970-01-01T00:00:00+00:00"
    recorded = told.get("recorded_at")
    return Event(
        id=str(told.get("id") or "evt_none"),
        type=told["type"],
        schema=told.get("schema"),
        data=told["data"],
        at=_time(at),
        recorded_at=_time(recorded) if recorded else None,
        origin=told.get("origin") or "live",
        sequence=told.get("sequence"),
        causation=told.get("causation"),
        aggregate=Aggregate(**about) if isinstance(about, dict) else None,
    )


def _time(text: Json) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError("a time has an offset")
    return at


def _job(route: Route | None, event: Event, names: Scope) -> NewJob | None:
    """Give a route's job, written when the event was; what a mapping omits is no job."""
    now = event.recorded_at or event.at
    if route is None or not route.takes(event, now):
        return None
    job = written(route, event, names, now)
    return None if job is None or job.state == "skipped" else job


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    event: Event
    route: str
    does: str
    mask: Callable[[], Mask] | None

    def __call__(self, found: Found, **more: Any) -> Planned:
        return Planned(event=self.event, route=self.route, does=self.does, found=found, **more)


def _planned(about: _About, old: NewJob | None, new: NewJob | None) -> Planned:
    failed = old is not None and old.state == "dead"
    if new is not None and new.state == "dead":
        return about("fails", error=new.error or "", failed=failed)
    if _raw(old) == _raw(new):
        return about("same")
    mask = about.mask() if about.mask is not None else None
    fields = tuple(_differences(_shown(None if failed else old), _shown(new), mask))
    found: Found = "changed"
    if failed or old is None:
        found = "new" if new is not None else "gone"
    elif new is None:
        found = "gone"
    return about(found, failed=failed, fields=fields)


def _raw(job: NewJob | None) -> tuple[Json, ...]:
    """Give all of a job that its provider or its neighbours would notice."""
    if job is None:
        return ()
    return job.payload, job.key, job.lane, job.connector, job.action


def _shown(job: NewJob | None) -> dict[str, Json]:
    """Give a job as it is compared and shown, flat: `input.…`, and what surrounds it."""
    if job is None:
        return {}
    made = None if job.payload is None else read_json(job.payload)
    about = {"does": f"{job.connector}.{job.action}", "lane": job.lane, "key": job.key}
    flat = dict(_flat(made, "input"))
    return {name: value for name, value in about.items() if value is not None} | flat


def _flat(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Yield every value inside a value with its path.

    >>> dict(_flat({"a": [1, {"b": None}], "c": {}}, "x"))
    {'x.a[0]': 1, 'x.a[1].b': None, 'x.c': {}}
    """
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}[{index}]")
    else:
        yield path, value


def _differences(
    old: dict[str, Json], new: dict[str, Json], mask: Mask | None
) -> Iterator[Difference]:
    """Compare what is there; mask only what is then shown."""
    for path in dict.fromkeys((*old, *new)):
        one, other = old.get(path), new.get(path)
        if (path in old) != (path in new) or one != other or type(one) is not type(other):
            if mask is not None:
                name = path.rpartition(".")[2].partition("[")[0]
                one, other = mask(one, name), mask(other, name)
            yield Difference(path=path, old=one, new=other)
