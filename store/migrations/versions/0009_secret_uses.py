"""When each webhook secret was last seen."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "secret_uses",
        Column("connector", Text, primary_key=True, nullable=False),
        Column("secret", Text, primary_key=True, nullable=False),
        Column("seen_at", Int, nullable=False),
        sqlite_strict=True,
    )
