"""The audit: who did what to which thing; written in the transaction of the deed."""

from sqlalchemy import insert

from store import schema
from store.tx import Tx


def note(tx: Tx, who: str, what: str, subject: str, text: str = "") -> None:
    """Record who did what."""
    row = {"at": tx.now, "who": who, "what": what, "subject": subject, "note": text or None}
    tx.run(insert(schema.audit), row)
