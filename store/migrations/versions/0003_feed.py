"""The order of the feed, for stores that several nodes write."""

from alembic import op

from store.schema import feed, feed_waiting

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Expand. The first migration makes today's tables, so a new store has both."""
    feed.create(op.get_bind(), checkfirst=True)
    feed_waiting.create(op.get_bind(), checkfirst=True)
