"""Many rows in one statement of SQLite.

At each step of a statement its driver lets go of the interpreter, and in a busy hub it waits for
milliseconds to have it back: a statement executed for each of its rows waits for each of them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from store.schema import Time

Rows = Sequence[Mapping[str, Any]]
Key = tuple[Any, ...]
MOST = 64  # by the 31 columns of the widest table: far below the 32,766 values SQLite takes


def insert(connection: Connection, table: Table, rows: Rows, *, more: str = "") -> int:
    """Insert rows in their order, with the columns of the first; give how many were inserted.

    Args:
        more: What follows in the statement, such as what to do on a conflict.
    """
    done = at = 0
    while at < len(rows):
        part = rows[at : at + _size(len(rows) - at)]
        text = _inserting(table.name, tuple(part[0]), len(part), more)
        done += connection.exec_driver_sql(text, _flat(connection, table, part)).rowcount
        at += len(part)
    return done


def taken(connection: Connection, table: Table, keys: Sequence[Key]) -> set[Key]:
    """Give those of some primary keys, without times among them, that are taken."""
    found: set[Key] = set()
    at = 0
    while at < len(keys):
        part = keys[at : at + _size(len(keys) - at)]
        text = _finding(table.name, tuple(c.name for c in table.primary_key), len(part))
        given = tuple(value for key in part for value in key)
        found.update(tuple(row) for row in connection.exec_driver_sql(text, given))
        at += len(part)
    return found


def _size(left: int) -> int:
    """Give a power of two: few statement texts, so few to prepare."""
    return int(min(MOST, 1 << (left.bit_length() - 1)))


def _flat(connection: Connection, table: Table, rows: Rows) -> tuple[Any, ...]:
    """Give all values, as they are written."""
    plan = [(name, _time(table, name)) for name in rows[0]]
    return tuple(
        row[name] if time is None else time.process_bind_param(row[name], connection.dialect)
        for row in rows
        for name, time in plan
    )


@cache
def _time(table: Table, name: str) -> Time | None:
    """Give the type of a column of times: those values alone are not written as they are."""
    kind = table.c[name].type
    return kind if isinstance(kind, Time) else None


@cache
def _inserting(table: str, names: tuple[str, ...], count: int, more: str) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES {_values(len(names), count)} {more}"  # noqa: S608 -- our own names


@cache
def _finding(table: str, names: tuple[str, ...], count: int) -> str:
    # Not `IN (VALUES …)`: with statistics SQLite looks up the first column and walks the rest.
    columns = ", ".join(names)
    asked = f"WITH asked({columns}) AS (VALUES {_values(len(names), count)})"
    return f"{asked} SELECT {columns} FROM asked CROSS JOIN {table} USING ({columns})"  # noqa: S608 -- our own names


def _values(columns: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * count)
