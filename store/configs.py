"""Which configuration ran since when on which node, and which were refused; the newest are kept."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model import Json, read_json, rfc3339, write_json
from store.schema import configs
from store.tx import Tx

KEPT = 500
What = Literal["started", "reloaded", "rejected"]


def note(
    tx: Tx, what: What, *, node: str, who: str, config: str | None, faults: Sequence[Json] = ()
) -> None:
    """Record what became of a configuration.

    Args:
        config: Its hash; None where it was refused before it had one.
        faults: JSON-ready, without secrets.
    """
    told = write_json(list(faults)).decode() if faults else None
    row = {"at": tx.now, "node": node, "who": who, "what": what, "hash": config, "faults": told}
    tx.run(insert(configs), row)
    newest = tx.rows(select(func.max(configs.c.n)))[0][0]
    tx.run(delete(configs).where(configs.c.n <= newest - KEPT))


async def recent(connection: AsyncConnection, limit: int) -> list[dict[str, Json]]:
    """Give what became of configurations, the newest first."""
    wanted = select(configs).order_by(configs.c.n.desc()).limit(limit)
    return [
        {
            "at": rfc3339(row.at),
            "what": row.what,
            "hash": row.hash,
            "who": row.who,
            "node": row.node,
            "faults": read_json(row.faults.encode()) if row.faults else [],
        }
        for row in await connection.execute(wanted)
    ]
