"""Since when the jobs of a route that config.yaml pauses are held."""

from alembic import op
from sqlalchemy import Column

from store.schema import Int

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Expand."""
    op.add_column("route_holds", Column("paused_at", Int))
