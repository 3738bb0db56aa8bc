"""How one of the shop's events is told; their names and schemas: see vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.model import Aggregate, Event, Json, Origin
from hub.shop.vocabulary import SHOP_EVENTS
from store import aggregates
from store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something changes: whether it is the present, when it was, which event brought it."""

    origin: Origin = "live"
    at: datetime | None = None
    event: str | None = None


def lost(tx: Tx, at: datetime) -> bool:
    """Say whether what happened then may have been told before the store was restored."""
    return tx.restored_at is not None and at <= tx.restored_at


def fell_due(tx: Tx, at: datetime) -> Cause:
    """Say why something changes whose time has come: now, or for all we know before a restore."""
    return Cause(at=at if lost(tx, at) else None)


def tell(
    tx: Tx, name: str, snapshot: Mapping[str, Json], cause: Cause, **more: Json
) -> None:  # fmt: skip
    """Emit an event with an aggregate's full snapshot after the change; `more` stands beside it."""
    schema = SHOP_EVENTS[name]
    kind = schema.partition("@")[0].rpartition(".")[2]
    about = Aggregate(type=kind, id=snapshot["id"], version=snapshot["version"])
    tx.emit(
        Event(
            type=name,
            at=cause.at or tx.now,
            data={kind: dict(snapshot), **more},
            origin=cause.origin,
            schema=schema,
            aggregate=about,
            sequence=aggregates.next_sequence(tx, kind, about.id),
            causation=cause.event,
        )
    )
