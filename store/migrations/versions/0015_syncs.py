"""What a sync's cursor keeps: its schedule, the run under way, what the last one did."""

from alembic import op
from sqlalchemy import Column, Text

from store.schema import Int

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Expand."""
    for name, kind in (
        ("schedule", Text), ("began_at", Int), ("jobs", Int), ("error", Text), ("again", Text),
    ):  # fmt: skip
        op.add_column("cursors", Column(name, kind))
