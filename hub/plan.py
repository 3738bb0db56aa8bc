"""Compare what two configurations would send for the same events; nothing is sent or written.

Pure: routers and events in, differences out. Each event is routed as when it was recorded, with the
origin it had, so that a plan shows what the other configuration would have done then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeAlias

from hub.model import Aggregate, Event, Json, NewJob, read_json
from hub.personal import Mask
from hub.routing import Expression, Route, Router

Found: TypeAlias = Literal["same", "changed", "new", "gone", "fails"]
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


def sharing(old: Router, new: Router) -> tuple[Router, Router]:
    """Let two routers run each mapping that they have in common once for each event."""
    once: dict[int, _Once] = {}

    def shared(route: Route) -> Route:
        if route.map is None:
            return route
        return replace(route, map=once.setdefault(id(route.map), _Once(route.map)))

    before, after = (Router(map(shared, router.routes)) for router in (old, new))
    return before, after


class _Once:
    """A mapping that remembers what it made of the last event."""

    def __init__(self, run: Expression) -> None:
        self._run = run
        self._data: Json = None
        self._made: Json = None

    def __call__(self, scope: Mapping[str, Json]) -> Json:
        data = scope["event"]["data"]
        if data is None or data is not self._data:
            self._made = self._run(scope)  # a fault is remembered by nobody
            self._data = data
        return self._made


def compare(event: Event, old: Router, new: Router, *, reveal: bool = False) -> Iterator[Planned]:
    """Yield what becomes of an event, by route: those of the new configuration first.

    Args:
        reveal: Leave personal data as it is.
    """
    now = event.recorded_at or event.at
    before, after = (_jobs(router, event, now) for router in (old, new))
    mask = None if reveal else Mask(event.data)
    for name in dict.fromkeys((*after, *before)):
        one = _planned(event, name, before.get(name), after.get(name), mask)
        if one is not None:
            yield one


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


def _jobs(router: Router, event: Event, now: datetime) -> dict[str, NewJob]:
    """Give the jobs of an event by route; what a mapping omits is no job."""
    made = router.jobs_for(event, now)
    return {job.route: job for job in made if job.route and job.state != "skipped"}


def _planned(
    event: Event, name: str, old: NewJob | None, new: NewJob | None, mask: Mask | None
) -> Planned | None:
    job = new or old
    if job is None:
        return None
    failed = old is not None and old.state == "dead"
    does = f"{job.connector}.{job.action}"
    if new is not None and new.state == "dead":
        text = new.error or ""
        return Planned(event=event, route=name, found="fails", does=does, error=text, failed=failed)
    fields = tuple(_differences(_shown(None if failed else old), _shown(new), mask))
    found: Found = "changed" if fields or _raw(old) != _raw(new) else "same"
    if failed or old is None:
        found = "new" if new is not None else "gone"
    elif new is None:
        found = "gone"
    return Planned(event=event, route=name, found=found, does=does, failed=failed, fields=fields)


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
