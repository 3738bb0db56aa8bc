"""Breakers and budgets that nodes share, and the ceilings of routes."""

from alembic import op
from sqlalchemy import Column, inspect

from store.schema import Bytes, Int, budgets, recipient_hours, route_holds, route_hours

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Expand. The first migration makes all of this too, so a new store has it."""
    have = {column["name"] for column in inspect(op.get_bind()).get_columns("accounts")}
    for name, kind in (
        ("breaker_since", Int),
        ("probe_at", Int),
        ("strikes", Bytes),
    ):
        if name not in have:
            op.add_column("accounts", Column(name, kind))
    for table in (budgets, route_hours, recipient_hours, route_holds):
        table.create(op.get_bind(), checkfirst=True)
