"""Cases are found by what they are about, resolved ones too."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Expand."""
    op.create_index("cases_subject", "cases", ["subject", "kind"])
