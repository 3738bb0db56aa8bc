"""Secrets of the webhook endpoints that the hub makes at providers."""

from alembic import op
from sqlalchemy import Column, LargeBinary, Text

from store.schema import Int

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "endpoint_secrets",
        Column("connector", Text, primary_key=True, nullable=False),
        Column("ref", Text, primary_key=True, nullable=False),
        Column("secret", LargeBinary),
        Column("asked", Text),
        Column("key", Text),
        Column("at", Int, nullable=False),
        sqlite_strict=True,
    )
