"""Stock, what is reserved of it, and the movements that explain both.

Stock is taken by one conditional UPDATE and in no other way: no read before it decides.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, select, tuple_, update

from store.catalog_schema import DEFAULT_LOCATION, locations, stock, stock_movements, variants
from store.schema import upserting
from store.shop_schema import reservations
from store.tx import Tx

LIVE = ("held", "committed")
LEFT: ColumnElement[Any] = stock.c.on_hand + stock.c.backorder_limit - stock.c.reserved
_HERE = (stock.c.variant_id == bindparam("v"), stock.c.location_id == bindparam("l"))
_TAKE = (
    update(stock)
    .where(*_HERE, bindparam("q") <= LEFT)
    .values(reserved=stock.c.reserved + bindparam("q"))
    .returning(LEFT)
)
_GIVE = (
    update(stock)
    .where(*_HERE)
    .values(reserved=stock.c.reserved - bindparam("q"), on_hand=stock.c.on_hand - bindparam("gone"))
    .returning(LEFT)
)
_RECEIVE = (
    update(stock)
    .where(*_HERE, bindparam("q") + LEFT >= 0)
    .values(on_hand=stock.c.on_hand + bindparam("q"))
    .returning(LEFT)
)


def begin(
    tx: Tx, variant: str, *, on_hand: int, backorder_limit: int, location: str = DEFAULT_LOCATION
) -> bool:  # fmt: skip
    """Begin to count a variant's stock at a place; False where it is counted there already."""
    row = {
        "variant_id": variant,
        "location_id": location,
        "on_hand": on_hand,
        "backorder_limit": backorder_limit,
    }
    if tx.run(upserting(stock).on_conflict_do_nothing(), row) == 0:
        return False
    if on_hand:
        add_movement(tx, variant, location=location, on_hand=on_hand, reason="received")
    return True


def add_movement(
    tx: Tx,
    variant: str,
    *,
    location: str = DEFAULT_LOCATION,
    on_hand: int = 0,
    reserved: int = 0,
    reason: str,
    ref: str | None = None,
) -> None:
    """Write down what changed a stock, and why."""
    tx.run(
        insert(stock_movements),
        {
            "variant_id": variant,
            "location_id": location,
            "delta_on_hand": on_hand,
            "delta_reserved": reserved,
            "reason": reason,
            "ref": ref,
            "at": tx.now,
        },
    )


# -- reservations ----------------------------------------------------------------------------------
def reserve(
    tx: Tx, line: Mapping[str, Any], *, expires_at: datetime | None, state: str = "held"
) -> int | None:
    """Take stock for one order line at one place; give how many are left there.

    None: no place has so many.
    """
    variant, qty = line["variant_id"], line["qty"]
    place, left = DEFAULT_LOCATION, _take(tx, variant, DEFAULT_LOCATION, qty)
    if left is None:
        for other in _elsewhere(tx, variant):
            place, left = other, _take(tx, variant, other, qty)
            if left is not None:
                break
    if left is None:
        return None
    held = {
        "order_line_id": line["id"],
        "order_id": line["order_id"],
        "variant_id": variant,
        "location_id": place,
        "qty": qty,
        "state": state,
        "expires_at": expires_at,
    }
    tx.run(insert(reservations), held)
    add_movement(
        tx, variant, location=place, reserved=qty, reason="reserved", ref=line["id"]
    )  # fmt: skip
    return left


def of_order(tx: Tx, order: str, states: Sequence[str] = LIVE) -> list[Row[Any]]:
    """Read an order's reservations in the order in which stock is locked."""
    query = select(reservations).where(
        reservations.c.order_id == order, reservations.c.state.in_(states)
    )
    return tx.rows(
        query.order_by(reservations.c.variant_id, reservations.c.location_id, reservations.c.n)
    )


def end(tx: Tx, row: Row[Any], qty: int, *, state: str, reason: str, ref: str) -> int:
    """End a reservation, or part of it, and give its stock back or let it go; give what is left.

    Args:
        state: consumed (the goods leave), released or expired (they stay).
    """
    gone = qty if state == "consumed" else 0
    left = _one(tx, _GIVE, {"v": row.variant_id, "l": row.location_id, "q": qty, "gone": gone})
    add_movement(
        tx, row.variant_id, location=row.location_id, on_hand=-gone, reserved=-qty,
        reason=reason, ref=ref,
    )  # fmt: skip
    mine = update(reservations).where(reservations.c.n == row.n)
    if qty == row.qty:
        tx.run(mine.values(state=state, expires_at=None))
        return left or 0
    tx.run(mine.values(qty=row.qty - qty))
    part = {name: value for name, value in row._mapping.items() if name != "n"}  # noqa: SLF001 -- a public accessor of SQLAlchemy
    tx.run(insert(reservations), part | {"qty": qty, "state": state, "expires_at": None})
    return left or 0


def commit(tx: Tx, order: str) -> None:
    """Keep an order's stock for good: it is placed."""
    statement = update(reservations).where(
        reservations.c.order_id == order, reservations.c.state == "held"
    )
    tx.run(statement.values(state="committed", expires_at=None))


# -- on hand ---------------------------------------------------------------------------------------
def receive(
    tx: Tx, variant: str, location: str, delta: int, *, reason: str, ref: str | None = None
) -> int | None:
    """Change what is on hand; give what is left to sell, None where more is promised than that."""
    left = _one(tx, _RECEIVE, {"v": variant, "l": location, "q": delta})
    if left is not None:
        add_movement(tx, variant, location=location, on_hand=delta, reason=reason, ref=ref)
    return left


def allow(tx: Tx, variant: str, location: str, more: int) -> None:
    """Let more be sold than there is."""
    raised = {"backorder_limit": stock.c.backorder_limit + more}
    tx.run(update(stock).where(*_HERE).values(raised), {"v": variant, "l": location})


def set_limit(tx: Tx, variant: str, location: str, limit: int) -> bool:
    """Say how many more may be sold than there are; False where more are sold than that already."""
    changed = update(stock).where(*_HERE, stock.c.on_hand + limit >= stock.c.reserved)
    return tx.run(changed.values(backorder_limit=limit), {"v": variant, "l": location}) == 1


def available(tx: Tx, variant: str) -> int:
    """Say how many could be taken now; for people, never to decide by."""
    row = tx.row(select(func.sum(LEFT)).where(stock.c.variant_id == variant))
    return int(row[0] or 0) if row else 0


def rows_of(tx: Tx, variants_: Collection[str]) -> list[Row[Any]]:
    """Read the stock of variants at every place."""
    query = select(stock, LEFT.label("available")).where(stock.c.variant_id.in_(variants_))
    return tx.rows(query.order_by(stock.c.variant_id, stock.c.location_id))


def page(tx: Tx, *, after: tuple[str, str], limit: int) -> list[Row[Any]]:
    """Read a page of all stock."""
    place = tuple_(stock.c.variant_id, stock.c.location_id)
    query = select(stock, LEFT.label("available"), variants.c.sku).join(
        variants, variants.c.id == stock.c.variant_id
    )
    rows = query.where(place > after).order_by(stock.c.variant_id, stock.c.location_id)
    return tx.rows(rows.limit(limit))


def movements(tx: Tx, variant: str | None, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Read what moved a stock, newest first."""
    query = select(stock_movements).order_by(stock_movements.c.n.desc()).limit(limit)
    if variant is not None:
        query = query.where(stock_movements.c.variant_id == variant)
    if before is not None:
        query = query.where(stock_movements.c.n < before)
    return tx.rows(query)


# -- places ----------------------------------------------------------------------------------------
def add_location(tx: Tx, ident: str, title: str) -> bool:
    """Add a place; False where there is one of this id."""
    row = {"id": ident, "title": title, "created_at": tx.now}
    return tx.run(upserting(locations).on_conflict_do_nothing(), row) == 1


def all_locations(tx: Tx) -> list[Row[Any]]:
    """Read the places but the default one."""
    return tx.rows(select(locations).order_by(locations.c.id))


def has_location(tx: Tx, ident: str) -> bool:
    """Say whether there is such a place."""
    wanted = select(locations.c.id).where(locations.c.id == ident)
    return ident == DEFAULT_LOCATION or tx.row(wanted) is not None


def _take(tx: Tx, variant: str, location: str, qty: int) -> int | None:
    return _one(tx, _TAKE, {"v": variant, "l": location, "q": qty})


def _elsewhere(tx: Tx, variant: str) -> list[str]:
    query = select(stock.c.location_id).where(
        stock.c.variant_id == variant, stock.c.location_id != DEFAULT_LOCATION
    )
    return [row.location_id for row in tx.rows(query.order_by(stock.c.location_id))]


def _one(tx: Tx, statement: Any, values: Mapping[str, Any]) -> int | None:
    row = tx.row(statement, values)
    return None if row is None else int(row[0])
