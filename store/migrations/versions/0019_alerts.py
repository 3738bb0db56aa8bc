"""What was told to whom of what stands, and dead jobs found without a look at the others."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0019"
down_revision = "0018"

DEAD = sa.text("state IN ('d','b')")


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "alerts",
        Column("signal", Text, primary_key=True, nullable=False),
        Column("about", Text, primary_key=True, nullable=False),
        Column("channel", Text, primary_key=True, nullable=False),
        Column("since", Int, nullable=False),
        Column("told_at", Int, nullable=False),
        Column("told", Int, nullable=False),
        Column("seen", Int, nullable=False),
        Column("most", Int, nullable=False),
        Column("grown_at", Int, nullable=False),
        Column("until", Int),
        sqlite_strict=True,
    )
    op.create_index(
        "jobs_dead", "jobs", ["connector", "uid"], sqlite_where=DEAD, postgresql_where=DEAD
    )
