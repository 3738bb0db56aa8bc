"""Pauses of accounts, the time held, and how far retention has come."""

from typing import Any

from alembic import op
from sqlalchemy import Column, Text, inspect

from store.schema import Int, Time, horizons

revision = "0002"
down_revision = "0001_shop"

COLUMNS: dict[str, list[Column[Any]]] = {
    "accounts": [
        Column("paused_by", Text),
        Column("paused_at", Time),
        Column("held", Int, nullable=False, server_default="0"),
    ],
    "jobs": [Column("held0", Int)],
}


def upgrade() -> None:
    """Expand. The first migration makes today's tables, so a new store has all of this."""
    found = inspect(op.get_bind())
    for table, columns in COLUMNS.items():
        have = {column["name"] for column in found.get_columns(table)}
        for column in columns:
            if column.name not in have:
                op.add_column(table, column)
    horizons.create(op.get_bind(), checkfirst=True)
