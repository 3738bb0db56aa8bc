"""When a payment's provider was last asked what became of it."""

from alembic import op
from sqlalchemy import Column, text

from store.schema import Int

revision = "0007"
down_revision = "0006"

OPEN = text("state IN ('created', 'requires_action', 'processing')")


def upgrade() -> None:
    """Expand."""
    op.add_column("payments", Column("asked_at", Int))
    op.create_index(
        "payments_open", "payments", ["created_at"], sqlite_where=OPEN, postgresql_where=OPEN
    )
