"""Subscribers to our own webhooks, and their deliveries by account."""

from alembic import op
from sqlalchemy import Column, LargeBinary, Text, text

from store.schema import Int

revision = "0012"
down_revision = "0011"

DELIVERIES = text("connector = 'webhook'")


def upgrade() -> None:
    """Expand."""
    op.create_table(
        "webhook_endpoints",
        Column("id", Text, primary_key=True, nullable=False),
        Column("managed", Text, nullable=False),
        Column("url", Text, nullable=False),
        Column("description", Text),
        Column("types", Text, nullable=False),
        Column("ordered", Text, nullable=False),
        Column("origins", Text, nullable=False),
        Column("keys", LargeBinary),
        Column("version", Int, nullable=False),
        Column("created_at", Int, nullable=False),
        Column("updated_at", Int, nullable=False),
        Column("failing_since", Int),
        Column("disabled_reason", Text),
        sqlite_strict=True,
    )
    for name, table in (("jobs_delivery", "jobs"), ("history_delivery", "job_history")):
        op.create_index(
            name,
            table,
            ["account", "uid"],
            sqlite_where=DELIVERIES,
            postgresql_where=DELIVERIES,
        )
