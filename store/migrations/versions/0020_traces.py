"""Which trace a job goes on with."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Expand."""
    op.add_column("jobs", Column("trace", Text))
    op.add_column("job_history", Column("trace", Text))
