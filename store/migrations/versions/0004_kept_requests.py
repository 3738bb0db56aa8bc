"""An index by which retention sees which requests a job still needs."""

from alembic import op

from store.schema import jobs

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Expand. The first migration makes today's indexes, so a new store has it."""
    (made,) = (index for index in jobs.indexes if index.name == "jobs_inbox")
    made.create(op.get_bind(), checkfirst=True)
