"""The table of restores: of which backup a store was made, and when its calls were let out."""

from sqlalchemy import Column

from store.schema import Int, at, table, word

restores = table(
    "restores",
    Column("n", Int, primary_key=True, autoincrement=True),
    at("cut"),  # what was committed before is in the backup
    word("made_by"),
    word("kind"),  # sqlite or postgresql
    word("file", null=True),
    at("at", null=True),  # null: a backup, not restored yet
    word("by", null=True),
    at("released_at", null=True),
    word("released_by", null=True),
    counted=True,
)
