"""Secrets of webhook endpoints the hub made at providers, sealed; and endpoints being made.

Before a provider is asked for a new endpoint, what is asked and its key are kept: some tell the
secret this once, and the same key again brings the same answer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from hub.model import read_json, write_json
from hub.secrets import Secret
from hub.subscriptions import Wanted
from store.schema import upserting
from store.tx import Tx
from store.webhook_schema import endpoint_secrets as table

BEING_MADE = ""
_SEALED = "endpoint_secrets.secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An endpoint that a provider was, or is about to be, asked for."""

    key: str
    wanted: Wanted
    at: datetime


def begin(tx: Tx, connector: str, wanted: Wanted, *, key: str) -> None:
    """Keep what a provider is about to be asked for."""
    asked = write_json({"url": wanted.url, "events": sorted(wanted.events)}).decode()
    row = {"connector": connector, "ref": BEING_MADE, "asked": asked, "key": key, "at": tx.now}
    tx.run(insert(table), row)


def begun(tx: Tx, connector: str) -> Begun | None:
    """Give the endpoint of which it is not known whether it was made."""
    row = tx.row(select(table).where(table.c.connector == connector, table.c.ref == BEING_MADE))
    if row is None:
        return None
    asked = read_json(row.asked.encode())
    wanted = Wanted(url=asked["url"], events=frozenset(asked["events"]))
    return Begun(key=row.key, wanted=wanted, at=row.at)


def ended(tx: Tx, connector: str) -> None:
    """Note that what became of it is known."""
    tx.run(delete(table).where(table.c.connector == connector, table.c.ref == BEING_MADE))


def hold(tx: Tx, connector: str, ref: str, secret: Secret) -> None:
    """Keep an endpoint's secret, in place of what was kept of it."""
    sealed = tx.seal(secret.reveal(), _SEALED, f"{connector}/{ref}")
    row = {"connector": connector, "ref": ref, "secret": sealed, "at": tx.now}
    adding = upserting(table).values(row)
    kept = {"secret": adding.excluded.secret, "at": adding.excluded.at}
    tx.run(adding.on_conflict_do_update(index_elements=["connector", "ref"], set_=kept))


def held(tx: Tx) -> Mapping[str, Sequence[tuple[str, Secret]]]:
    """Give each connector's endpoints with their secrets, named after the endpoints."""
    found: dict[str, list[tuple[str, Secret]]] = {}
    rows = tx.rows(select(table).where(table.c.secret.is_not(None)).order_by(table.c.at))
    for row in rows:
        raw = tx.unseal(row.secret, _SEALED, f"{row.connector}/{row.ref}")
        secret = Secret(raw, f"endpoint {row.ref}")
        found.setdefault(row.connector, []).append((row.ref, secret))
    return found


def forget(tx: Tx, connector: str, *, but: Collection[str]) -> None:
    """Let go of the secrets of endpoints that are no more."""
    gone = table.c.connector == connector, table.c.ref.not_in([BEING_MADE, *but])
    tx.run(delete(table).where(*gone))
