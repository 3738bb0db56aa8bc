"""Events to jobs, as the admin wrote it. Pure: routes hold compiled callables; no I/O, no clock."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hub.ceiling import CAPPED, PAUSED, Ceiling
from hub.effects import Effect
from hub.errors import MappingError
from hub.ids import new_id
from hub.model import Event, Json, NewJob, write_json
from hub.plugin import ActionSpec
from hub.retry import Policy

Scope = Mapping[str, Json]
Expression = Callable[[Scope], Json]


class Omit:
    """The value of `omit`; as a whole result it means: write no target."""

    def __repr__(self) -> str:
        return "omit"


OMIT = Omit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """On these events, when this holds, do that action with this mapping.

    Args:
        on: Exact event names, or names ending in `.*`.
        origins: Which events are taken; a backfill only while younger than `fresh_for`.
        blocks: A dead job of this route holds its lane.
        resend: An uncertain job nothing settles may be sent once more, as a new job.
        ceiling: Above which its jobs are held; None: it neither sends messages nor moves money.
        paused: Its jobs are written, and held until it is no longer.
        timeouts: Seconds for one call, until connected and in all; None: its connector's.
    """

    name: str
    on: tuple[str, ...]
    connector: str
    action: ActionSpec
    map: Expression | None = None
    mapping_hash: str | None = None
    when: Expression | None = None
    order_by: Expression | None = None
    key: Expression | None = None
    origins: frozenset[str] = frozenset({"live", "backfill"})
    fresh_for: timedelta = timedelta(hours=24)
    blocks: bool = False
    resend: bool = False
    retry: Policy = field(default_factory=Policy)
    own_age: bool = False
    ceiling: Ceiling | None = None
    paused: bool = False
    timeouts: tuple[float, float] | None = None

    def takes(self, event: Event, now: datetime) -> bool:
        """Say whether the event's name, origin and age are this route's."""
        if event.origin not in self.origins:
            return False
        if event.origin == "backfill" and now - event.at > self.fresh_for:
            return False
        return self.hears(event)

    def hears(self, event: Event) -> bool:
        """Say whether the event's name is this route's, wherever the event comes from."""
        if event.type in self.on:
            return True
        return any(name.endswith(".*") and event.type.startswith(name[:-1]) for name in self.on)


def scope(event: Event) -> dict[str, Json]:
    """Give the names an expression sees: `event`, and the data under its schema's last word.

    >>> from datetime import UTC, datetime
    >>> e = Event(type="shop.order.paid", at=datetime(2026, 1, 1, tzinfo=UTC),
    ...           data={"order": {"id": "ord_1"}}, schema="shop.order@1")
    >>> scope(e)["order"]["id"]
    'ord_1'
    """
    names: dict[str, Json] = {"event": event.envelope()}
    if event.schema is None:
        return names | {"data": event.data}
    word = event.schema.partition("@")[0].rpartition(".")[2]
    wrapped = isinstance(event.data, dict) and word in event.data
    return names | {word: event.data[word] if wrapped else event.data}


class Router:
    """All routes of one configuration; `jobs_for` is what the store calls inside a transaction.

    Args:
        config: The configuration's hash, which its jobs keep.
        syncs: The rules of syncs: no event takes them, but their jobs are known by their names.
    """

    def __init__(
        self, routes: Iterable[Route], config: str | None = None, syncs: Iterable[Route] = ()
    ) -> None:
        self.routes, self.config = tuple(routes), config
        self.by_name = {route.name: route for route in (*syncs, *self.routes)}

    def ceiling_of(self, name: str | None, spec: ActionSpec | None) -> Ceiling | None:
        """Give a route's ceiling; a route that is no longer there has its action's usual one."""
        route = self.by_name.get(name or "")
        if route is not None and route.paused:
            return PAUSED
        if name is None or route is not None:
            return route.ceiling if route is not None else None
        return Ceiling(recipient=spec.recipient) if spec and spec.kind in CAPPED else None

    def open_routes(self) -> list[str]:
        """Name the routes that are not paused."""
        return [name for name, route in self.by_name.items() if not route.paused]

    def jobs_for(self, event: Event, now: datetime) -> list[NewJob]:
        """Write the jobs of one event, in the file's order; what cannot be mapped is born dead."""
        taking = [route for route in self.routes if route.takes(event, now)]
        names = scope(event) if taking else {}
        made = (written(route, event, names, now) for route in taking)
        return [replace(job, config_hash=self.config) for job in made if job is not None]

    def job_of(self, name: str, event: Event, now: datetime) -> NewJob | None:
        """Write the job of one route, whatever origins it takes; None where it wants none.

        Raises:
            KeyError: There is no such route any more, or it does not hear such events.
        """
        route = self.by_name[name]
        if not route.hears(event):
            raise KeyError(name)
        job = written(route, event, scope(event), now)
        return None if job is None else replace(job, config_hash=self.config)


def written(route: Route, event: Event, names: Scope, now: datetime) -> NewJob | None:
    """Write the job of a route that takes the event; None where it wants none.

    Args:
        names: What its expressions see.
    """
    try:
        if route.when is not None and not route.when(names):
            return None
        return _mapped(route, event, names, now)
    except MappingError as error:
        key = f"{event.id}:{route.name}"
        return _write(route, event, now, key=key, payload=None, state="dead", error=str(error))


def _mapped(route: Route, event: Event, names: Scope, now: datetime) -> NewJob:
    lane = _text(route.order_by, names)
    key = _text(route.key, names) or f"{event.id}:{route.name}"
    made = event.envelope() if route.map is None else route.map(names)
    if made is OMIT:
        return _write(
            route, event, now, key=key, payload=None, state="skipped", error="mapping omitted"
        )
    return _write(route, event, now, key=key, lane=lane, payload=write_json(made))


def _text(expression: Expression | None, names: Scope) -> str | None:
    if expression is None:
        return None
    value = expression(names)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        found = type(value).__name__
        raise MappingError("mapping.kind", f"key and order_by want text or a number, got {found}")
    if len(str(value)) > 200:
        raise MappingError("mapping.large", "key and order_by take at most 200 characters")
    return str(value)


def _write(route: Route, event: Event, now: datetime, **more: Any) -> NewJob:
    give_up = now + route.retry.max_age if route.own_age else None
    return NewJob(
        uid=new_id("job", now),
        connector=route.connector,
        account=route.connector,
        action=route.action.name,
        effect=route.action.effect.kind,
        route=route.name,
        event_id=event.id,
        due_at=now,
        blocks=route.blocks,
        give_up_at=give_up,
        mapping_hash=route.mapping_hash,
        **more,
    )


def direct_job(
    connector: str,
    action: str,
    payload: Json,
    *,
    key: str,
    now: datetime,
    effect: Effect,
    lane: str | None = None,
    event_id: str | None = None,
) -> NewJob:
    """Write a job no route made: the shop asks a payment connector, a fact reaches the shop."""
    return NewJob(
        uid=new_id("job", now),
        connector=connector,
        account=connector,
        action=action,
        effect=effect.kind,
        key=key,
        lane=lane,
        event_id=event_id,
        payload=write_json(payload),
        due_at=now,
    )
