"""The resources a key is kept to."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Expand."""
    op.add_column("api_keys", Column("scopes", Text))
