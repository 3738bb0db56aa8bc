"""What a store keeps sealed, column by column, and whether the keys at hand are those of its rows.

The first byte of whatever is sealed is the id of its key (store.crypto).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Column, ColumnElement, LargeBinary, Row, func, select, type_coerce

from hub.errors import HubError
from hub.model import Json
from store.crypto import Cipher
from store.money_schema import payments
from store.schema import events, idempotency, inbox, job_history, jobs
from store.subscriber_schema import webhook_endpoints
from store.tx import Tx
from store.webhook_schema import endpoint_secrets

SAMPLE = 3  # one row that a disk has spoilt is no other key


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A column of sealed values.

    Args:
        ident: The columns that name a row where it is sealed, joined by `join`.
        label: The column it is sealed for, where that is another: rows move with what they hold.
    """

    column: Column[Any]
    ident: tuple[Column[Any], ...]
    join: str = ""
    label: str | None = None

    @property
    def name(self) -> str:
        """Its table and column."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def key(self) -> list[Column[Any]]:
        """The columns by which its rows are found and ordered."""
        return list(self.column.table.primary_key)

    @property
    def key_id(self) -> ColumnElement[bytes]:
        """The id of the key that sealed a value; empty where nothing is sealed."""
        return type_coerce(func.substr(self.column, 1, 1), LargeBinary)

    def of(self, row: Row[Any]) -> str:
        """Name a row, as it was named where it was sealed."""
        return self.join.join(str(getattr(row, column.name)) for column in self.ident)


_place = endpoint_secrets.c.connector, endpoint_secrets.c.ref
_call = idempotency.c.scope, idempotency.c.key
SEALED: Sequence[Sealed] = (
    Sealed(column=inbox.c.headers, ident=(inbox.c.id,)),
    Sealed(column=inbox.c.body, ident=(inbox.c.id,)),
    Sealed(column=events.c.data, ident=(events.c.id,)),
    Sealed(column=jobs.c.payload, ident=(jobs.c.uid,)),
    Sealed(column=job_history.c.payload, ident=(job_history.c.uid,), label="jobs.payload"),
    Sealed(column=payments.c.handoff, ident=(payments.c.id,)),
    Sealed(column=idempotency.c.body, ident=_call, join=" "),
    Sealed(column=endpoint_secrets.c.secret, ident=_place, join="/"),
    Sealed(column=webhook_endpoints.c["keys"], ident=(webhook_endpoints.c.id,)),
)
"""Every sealed column. Jobs stand before the ended ones: they move that way."""


def foreign(tx: Tx) -> str | None:
    """Say why none of the newest events can be opened; None where one can, or there is none."""
    newest = select(events.c.id, events.c.data).where(events.c.data.is_not(None))
    why = None
    for row in tx.rows(newest.order_by(events.c.n.desc()).limit(SAMPLE)):
        try:
            tx.unseal(row.data, "events.data", row.id)
        except HubError as error:
            why = str(error)
        else:
            return None
    return why


def keyless(tx: Tx, *, most: int) -> dict[str, Json]:
    """Give what `hub verify` says of values whose key is not at hand: how many, the first few."""
    found = [(one, row) for one in SEALED for row in _keyless(tx, one, tx.cipher)]
    named = [{"column": one.name, "row": one.of(row)} for one, row in islice(found, most)]
    return {"name": "every sealed value has its key", "broken": len(found), "rows": named}


def _keyless(tx: Tx, one: Sealed, cipher: Cipher) -> list[Row[Any]]:
    wanted = one.column.is_not(None), one.key_id.not_in([b"", *sorted(cipher.ids)])
    return tx.rows(select(*one.ident).where(*wanted).order_by(*one.key))
