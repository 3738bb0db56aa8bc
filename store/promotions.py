"""Promotions and their uses: counted in the order's own transaction, returned when it ends."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from store.catalog_schema import promotion_uses, promotions
from store.tx import Tx


def by_codes(tx: Tx, codes: Collection[str]) -> dict[str, Row[Any]]:
    """Find promotions by their codes, upper case."""
    found = tx.rows(select(promotions).where(promotions.c.code.in_(codes))) if codes else []
    return {row.code: row for row in found}


def count(tx: Tx, promotion: str) -> bool:
    """Count one more use if there may be one; no read before it decides."""
    room = or_(promotions.c.max_uses.is_(None), promotions.c.used < promotions.c.max_uses)
    counted = update(promotions).where(promotions.c.id == promotion, room)
    return tx.run(counted.values(used=promotions.c.used + 1)) == 1


def uses_by(tx: Tx, promotion: str, customer: str) -> int:
    """Say how often a customer has used it; the promotion's row must have been counted already."""
    query = select(func.count()).where(
        promotion_uses.c.promotion_id == promotion,
        promotion_uses.c.customer_id == customer,
        promotion_uses.c.state == "used",
    )
    return int(tx.rows(query)[0][0])


def add_use(tx: Tx, *, promotion: str, order: str, customer: str) -> None:
    """Write down that an order uses a promotion."""
    row = {"promotion_id": promotion, "order_id": order, "customer_id": customer}
    tx.run(insert(promotion_uses), row | {"state": "used", "at": tx.now})


def move_uses(tx: Tx, order: str, *, state: str, step: int) -> None:
    """Return an order's uses, or take them again."""
    mine = select(promotion_uses.c.promotion_id).where(
        promotion_uses.c.order_id == order, promotion_uses.c.state != state
    )
    for row in tx.rows(mine.order_by(promotion_uses.c.promotion_id)):
        counted = update(promotions).where(promotions.c.id == row.promotion_id)
        tx.run(counted.values(used=promotions.c.used + step))
    moved = update(promotion_uses).where(promotion_uses.c.order_id == order)
    tx.run(moved.values(state=state))


def page(tx: Tx, *, after: str, limit: int) -> list[Row[Any]]:
    """Read a page of promotions, oldest first."""
    query = select(promotions).where(promotions.c.id > after)
    return tx.rows(query.order_by(promotions.c.id).limit(limit))
