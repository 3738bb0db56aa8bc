"""Which thing a kept answer tells of, so that it goes with the person."""

from alembic import op
from sqlalchemy import Column, Text, text

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Expand."""
    op.add_column("idempotency", Column("subject", Text))
    known = text("subject IS NOT NULL")
    op.create_index(
        "idempotency_subject",
        "idempotency",
        ["subject"],
        sqlite_where=known,
        postgresql_where=known,
    )
