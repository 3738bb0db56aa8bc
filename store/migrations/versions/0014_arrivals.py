"""When each connector's webhooks come, and which have fallen silent."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "arrivals",
        Column("connector", Text, primary_key=True, nullable=False),
        Column("hour", Int, primary_key=True, nullable=False),
        Column("minutes", Int, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "silences",
        Column("connector", Text, primary_key=True, nullable=False),
        Column("since", Int, nullable=False),
        sqlite_strict=True,
    )
