"""Rotation: every sealed value is sealed anew with the first key, beside hubs that go on.

The rows say themselves what is done, by the key id before each value: cut off at any place, it
goes on. A value opens before and after its row is written, so a reader never meets neither.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from hub import crash
from hub.errors import HubError
from store.sealed import SEALED, Sealed
from store.store import Store
from store.tx import Tx, padded

AT_ONCE = 1_000  # rows that a reader looks at
MOST = 100  # rows of one commit: a running hub waits no longer for it than for its own
BREATH = 0.005  # seconds between commits
PASSES = 3  # over everything: rows that others held, or moved, are met in the next
Told = Callable[[str, int, int], None]
"""Told the name of a column, how many of its rows were looked at, and how many there are."""
Place = tuple[Any, ...]


@dataclass(slots=True)
class Rotated:
    """What a rotation did.

    Args:
        sealed: How many values of each column were sealed anew.
        closed: Values that no key at hand opens: column and row.
        left: How many are still sealed with an old key, though it opens them.
    """

    sealed: Counter[str] = field(default_factory=Counter)
    closed: set[tuple[str, str]] = field(default_factory=set)
    left: int = 0


async def rotate(store: Store, *, told: Told = lambda *_: None) -> Rotated:
    """Seal everything with the first key.

    Raises:
        NotStored: The store could not commit; once more, and it goes on where it was.
    """
    done = Rotated()
    for _ in range(PASSES):
        done.left = 0
        for one in SEALED:
            await _column(store, one, done, told)
        if not done.left:
            break
    return done


async def _column(store: Store, one: Sealed, done: Rotated, told: Told) -> None:
    seen, place, more = 0, None, True
    async with store.read() as connection:
        rows = int(await connection.scalar(select(func.count()).select_from(one.column.table)) or 0)
    told(one.name, 0, rows)
    while more and (page := await _page(store, one, place)):
        place, seen = tuple(page[-1][: len(one.key)]), seen + len(page)
        more = len(page) == AT_ONCE  # what hubs write meanwhile is not run after
        old = [tuple(row[: len(one.key)]) for row in page if _is_old(row, store.cipher.first)]
        for keys in _pieces(old):
            went, closed = await store.write(partial(_seal_anew, one=one, keys=keys))
            done.sealed[one.name] += went
            done.closed |= {(one.name, row) for row in closed}
            done.left += len(keys) - went - len(closed)
            crash.at("R_piece")
            await asyncio.sleep(BREATH)
        told(one.name, seen, max(seen, rows))


async def _page(store: Store, one: Sealed, place: Place | None) -> list[Row[Any]]:
    columns = [*one.key, one.key_id.label("key_id")]
    wanted: Select[Any] = select(*columns).order_by(*one.key).limit(AT_ONCE)
    if place is not None:
        bound = [literal(value, column.type) for value, column in zip(place, one.key, strict=True)]
        wanted = wanted.where(tuple_(*one.key) > tuple_(*bound))
    async with store.read() as connection:
        return list(await connection.execute(wanted))


def _is_old(row: Row[Any], first: bytes) -> bool:
    return bool(row.key_id) and row.key_id != first


def _pieces(keys: Sequence[Place]) -> Iterator[Sequence[Place]]:
    for start in range(0, len(keys), MOST):
        yield keys[start : start + MOST]


def _those(one: Sealed, keys: Sequence[Place]) -> ColumnElement[bool]:
    """Name rows so that SQLite finds them by their index, which it does not for pairs in a list."""
    if len(one.key) == 1:
        return one.key[0].in_(padded([key[0] for key in keys]))
    pairs = [zip(one.key, key, strict=True) for key in padded(keys)]
    return or_(*(and_(*(column == value for column, value in pair)) for pair in pairs))


def _seal_anew(tx: Tx, *, one: Sealed, keys: Sequence[Place]) -> tuple[int, list[str]]:
    """Seal some rows anew, those that another transaction holds left out; name what stays shut."""
    columns = list(dict.fromkeys([*one.key, *one.ident, one.column]))
    wanted = select(*columns).where(_those(one, keys), one.key_id != tx.cipher.first)
    # Left out, not waited for: who waits while holding rows of others can stand in a ring.
    rows = tx.rows(wanted.order_by(*one.key).with_for_update(skip_locked=True))
    label, opened, closed = one.label or one.name, [], []
    for row in rows:
        sealed, ident = getattr(row, one.column.name), one.of(row)
        try:
            value = tx.unseal(sealed, label, ident)
        except HubError:
            closed.append(ident)
            continue
        keyed = {f"at_{column.name}": getattr(row, column.name) for column in one.key}
        opened.append(keyed | {"anew": tx.seal(value, label, ident)})
    at_row = [column == bindparam(f"at_{column.name}", type_=column.type) for column in one.key]
    anew = bindparam("anew", type_=one.column.type)
    tx.run_each(update(one.column.table).where(*at_row).values({one.column: anew}), opened)
    return len(opened), closed
