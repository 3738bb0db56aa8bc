"""Of which backup a store was made, and since when its calls go out again."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "restores",
        Column("n", Int, primary_key=True, autoincrement=True, nullable=False),
        Column("cut", Int, nullable=False),
        Column("made_by", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("file", Text),
        Column("at", Int),
        Column("by", Text),
        Column("released_at", Int),
        Column("released_by", Text),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
