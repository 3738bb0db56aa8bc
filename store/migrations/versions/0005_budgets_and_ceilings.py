"""Budgets that nodes share, and the ceilings of routes."""

from alembic import op

from store.schema import budgets, recipient_hours, route_holds, route_hours

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Expand. The first migration makes these tables too, so a new store has them."""
    for table in (budgets, route_hours, recipient_hours, route_holds):
        table.create(op.get_bind(), checkfirst=True)
