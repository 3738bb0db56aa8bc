"""The shop's own sources, for syncs: its customers and its orders, as events carry them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hub.model import Json
from hub.shop.catalog_snapshots import customer_snapshot
from hub.shop.snapshots import order_snapshot
from hub.syncs import Record
from store import changes
from store.aggregates import Stored
from store.tx import Tx


@dataclass(frozen=True, slots=True)
class ShopSource:
    """A kind of thing, and how its snapshot is made; vocabulary.SOURCES names the schemas."""

    kind: str
    snapshot: Callable[[Tx, Stored], dict[str, Json]]


READ: Mapping[str, ShopSource] = {
    "customers": ShopSource("customer", lambda _, row: customer_snapshot(row)),
    "orders": ShopSource("order", order_snapshot),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of records, and where to go on."""

    records: tuple[Record, ...]
    cursor: str
    more: bool


def page(tx: Tx, name: str, cursor: str | None, limit: int) -> Found:
    """Read on in one of the shop's sources.

    Args:
        cursor: What an earlier page gave: `all:<place>:<id>` while everything is read,
            `feed:<place>` from then on; None begins with everything.
    """
    source = READ[name]
    how, _, rest = (cursor or f"all:{changes.end_of_feed(tx)}:").partition(":")
    if how == "feed":
        return _changes(tx, source, int(rest), limit)
    place, _, ident = rest.partition(":")
    return _everything(tx, source, int(place), ident, limit)


def _everything(tx: Tx, source: ShopSource, place: int, ident: str, limit: int) -> Found:
    """Read everything by id; what changes meanwhile is in the feed after the place of its begin."""
    rows = changes.all_after(tx, source.kind, ident, limit)
    more = len(rows) == limit
    cursor = f"all:{place}:{rows[-1].id}" if more else f"feed:{place}"
    return Found(records=_records(tx, source, rows), cursor=cursor, more=True)


def _changes(tx: Tx, source: ShopSource, place: int, limit: int) -> Found:
    found = changes.changed_after(tx, source.kind, place, limit)
    more = len(found) == limit
    last = found[-1][0] if more else changes.end_of_feed(tx)
    rows = [row for _, row in found]
    return Found(records=_records(tx, source, rows), cursor=f"feed:{last}", more=more)


def _records(tx: Tx, source: ShopSource, rows: Sequence[Stored]) -> tuple[Record, ...]:
    return tuple(
        Record(
            id=row.id,
            version=str(row.sequence),
            at=row.updated_at,
            data=source.snapshot(tx, row),
            event_id=changes.last_event(tx, row.id),
        )
        for row in rows
    )
