"""Replaying events: new jobs of old events, under new keys, for the routes that want them.

Routes see the origin `replay`, so that nobody is mailed again unless a route lists it or a person
names the route. The input is mapped as today's route does, or is the one that an earlier job kept.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, select

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Event, Json, NewJob, read_json
from store.audit import note
from store.events import event_row, read_event
from store.schema import audit, job_history, jobs
from store.tx import Tx

Rewrite = Callable[[str, Event, datetime], NewJob | None]
"""Write the job of one route, by name; KeyError where it hears no such event."""

Mapping = Literal["now", "then"]
REPLAYED = "event.replay"
_GENERATION = re.compile(r":r[1-9][0-9]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be replayed how.

    Args:
        routes: The routes that may take it, in the file's order.
        mapping: As the routes map `now`, or the inputs that the jobs of `then` kept.
    """

    routes: Sequence[str]
    rewrite: Rewrite
    mapping: Mapping = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one route would do again: as it maps now, and as it mapped then; None where it cannot.

    The jobs have the key of their first generation; `replay` numbers the next.
    """

    route: str
    now: NewJob | None
    then: NewJob | None

    def chosen(self, mapping: Mapping) -> NewJob | None:
        """Give the job as wished."""
        return self.now if mapping == "now" else self.then

    def changed(self) -> list[str]:
        """Name the fields whose values differ between now and then; a whole input is `input`."""
        if self.now is None or self.then is None:
            return ["input"] if self.now or self.then else []
        new, old = _read(self.now), _read(self.then)
        if not (isinstance(new, dict) and isinstance(old, dict)):
            return ["input"] if new != old else []
        return sorted(
            name for name in new.keys() | old.keys() if new.get(name, ...) != old.get(name, ...)
        )


def offers(tx: Tx, event_id: str, wish: Wish) -> list[Offer]:
    """Say what a replay of an event could do; changes nothing.

    Raises:
        Refused: There is no such event.
    """
    row = event_row(tx, event_id)
    event = replace(read_event(tx, row), origin="replay") if row.data is not None else None
    then = {job.route: job for job in _kept(tx, event_id)}
    made = [
        Offer(route=name, now=_now(wish, name, event, tx.now), then=then.get(name))
        for name in wish.routes
    ]
    return [offer for offer in made if offer.now or offer.then]


def replay(tx: Tx, event_id: str, wish: Wish, *, by: str, why: str = "") -> list[NewJob]:
    """Write the jobs of an event again: their keys end in `:r1` the first time, then `:r2`.

    Raises:
        Refused: There is no such event, or its data is needed and no longer kept.
    """
    if wish.mapping == "now" and event_row(tx, event_id).data is None:
        raise Refused("invalid_transition", f"the data of {event_id} is no longer kept")
    found = [offer.chosen(wish.mapping) for offer in offers(tx, event_id, wish)]
    after = f":r{_generation(tx, event_id)}"
    made = [replace(job, key=job.key + after) for job in found if job is not None]
    if made:
        tx.enqueue(*made)
        told = ", ".join(job.route or "" for job in made)
        note(tx, by, REPLAYED, event_id, f"as {wish.mapping}: {told}{why and f' ({why})'}")
    return made


def _now(wish: Wish, name: str, event: Event | None, now: datetime) -> NewJob | None:
    if event is None:
        return None
    try:
        return wish.rewrite(name, event, now)
    except KeyError:
        return None


def _kept(tx: Tx, event_id: str) -> Iterator[NewJob]:
    """Give the event's jobs whose inputs are kept, anew; of each route the oldest comes last."""
    rows = []
    for table in (jobs, job_history):
        of_event = select(table).where(table.c.event_id == event_id, table.c.route.is_not(None))
        rows += tx.rows(of_event.where(table.c.payload.is_not(None)))
    for row in sorted(rows, key=lambda row: row.uid, reverse=True):
        yield _again(tx, row)


def _again(tx: Tx, row: Row[Any]) -> NewJob:
    return NewJob(
        uid=new_id("job", tx.now),
        connector=row.connector,
        account=row.account,
        action=row.action,
        key=_GENERATION.sub("", row.key),
        effect=row.effect,
        payload=tx.unseal(row.payload, "jobs.payload", row.uid),
        due_at=tx.now,
        event_id=row.event_id,
        route=row.route,
        lane=row.lane,
        blocks=bool(row.blocks),
        give_up_at=tx.now + (row.give_up_at - row.created_at) if row.give_up_at else None,
        mapping_hash=row.mapping_hash,
        config_hash=row.config_hash,
    )


def _generation(tx: Tx, event_id: str) -> int:
    """Count an event's replays, this one too.

    Not the next free key: two events whose jobs share a key share it in a replay of both as well.
    """
    before = select(func.count()).where(audit.c.subject == event_id, audit.c.what == REPLAYED)
    return 1 + int(tx.rows(before)[0][0])


def _read(job: NewJob) -> Json:
    return None if job.payload is None else read_json(job.payload)
