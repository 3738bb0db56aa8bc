"""What alembic runs: the migrations, on the connection store.migrate hands over."""

from alembic import context

import store.alert_schema
import store.catalog_schema
import store.money_schema
import store.restore_schema
import store.shop_schema
import store.subscriber_schema
import store.webhook_schema  # noqa: F401 -- their tables belong to the same metadata
from store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
