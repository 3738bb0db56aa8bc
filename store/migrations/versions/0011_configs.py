"""Which configuration ran since when, and which one wrote a job."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Expand."""
    op.add_column("jobs", Column("config_hash", Text))
    op.add_column("job_history", Column("config_hash", Text))
    op.create_table(
        "configs",
        Column("n", Int, primary_key=True, autoincrement=True),
        Column("at", Int, nullable=False),
        Column("node", Text, nullable=False),
        Column("who", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("hash", Text),
        Column("faults", Text),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
