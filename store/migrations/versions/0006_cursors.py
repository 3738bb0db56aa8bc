"""How far sources have been read."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "cursors",
        Column("connector", Text, primary_key=True, nullable=False),
        Column("source", Text, primary_key=True, nullable=False),
        Column("cursor", Text),
        Column("due_at", Int, nullable=False),
        Column("read_at", Int),
        Column("node", Text),
        Column("until", Int),
        sqlite_strict=True,
    )
