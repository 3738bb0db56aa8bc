"""Whether the keys at hand are those of a store: asked before it is served."""

from sqlalchemy import select

from hub.errors import HubError
from store.schema import events
from store.tx import Tx

SAMPLE = 3  # one row that a disk has spoilt is no other key


def foreign(tx: Tx) -> str | None:
    """Say why none of the newest events can be opened; None where one can, or there is none."""
    newest = select(events.c.id, events.c.data).order_by(events.c.n.desc()).limit(SAMPLE)
    why = None
    for row in tx.rows(newest):
        try:
            tx.unseal(row.data, "events.data", row.id)
        except HubError as error:
            why = str(error)
        else:
            return None
    return why
