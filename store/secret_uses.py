"""When each webhook secret last let a request in; its name, never the secret."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.schema import secret_uses, upserting
from store.tx import Tx

Use = tuple[str, str]
"""A connector's name, and a secret's."""


def note(tx: Tx, uses: Mapping[Use, datetime]) -> None:
    """Note when secrets were last seen; an older time than is known changes nothing."""
    rows = [
        {"connector": connector, "secret": secret, "seen_at": at}
        for (connector, secret), at in sorted(uses.items())
    ]
    said = upserting(secret_uses)
    newer = said.on_conflict_do_update(
        index_elements=["connector", "secret"],
        set_={"seen_at": said.excluded.seen_at},
        where=secret_uses.c.seen_at < said.excluded.seen_at,
    )
    tx.run_each(newer, rows)


async def last_seen(connection: AsyncConnection) -> dict[Use, datetime]:
    """Give when each was last seen."""
    found = await connection.execute(select(secret_uses))
    return {(row.connector, row.secret): row.seen_at for row in found}
