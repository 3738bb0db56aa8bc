"""First tables."""

from alembic import op

import store.shop_schema  # noqa: F401
from store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Expand."""
    metadata.create_all(op.get_bind())
