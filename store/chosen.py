"""Rows chosen and locked first, then changed by the index of their ids whatever the planner knows.

PostgreSQL may read `id IN (SELECT …)` as a join and, while a table's statistics are new or missing,
walk the whole primary key for it. An array it can only look up.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


def among(id_: ColumnElement[int], chosen: CTE) -> ColumnElement[bool]:
    """Say that an id is one of those that a common table expression chose."""
    return _Among(id_, select(chosen.c.id).scalar_subquery())


class _Among(FunctionElement[bool]):
    inherit_cache = True  # and no type: SQLite would be asked whether a Boolean equals 1


@compiles(_Among)
def _in(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    id_, ids = (compiler.process(one, **how) for one in element.clauses)
    return f"{id_} IN {ids}"


@compiles(_Among, "postgresql")
def _any(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    id_, ids = (compiler.process(one, **how) for one in element.clauses)
    return f"{id_} = ANY (ARRAY{ids})"
