"""Changes into the store: one commit each beside the writer's group commit, both on SQLite FULL."""

import asyncio
from pathlib import Path

from sqlalchemy import insert

from bench.rounds import Rate, interleave
from hub.clock import SystemClock
from hub.secrets import Secret
from store import schema
from store.crypto import new_key
from store.store import Store
from store.tx import Tx


async def commits(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare awaiting each change before the next, and many callers at once."""
    store = await Store.open(
        f"sqlite:///{folder}/commits.db", keys=[Secret(new_key())], clock=SystemClock(), served=True
    )

    async def one_by_one() -> int:
        for number in range(count // 8):
            await store.change(_note, number)
        return count // 8

    async def together() -> int:
        await asyncio.gather(*(store.change(_note, number) for number in range(count)))
        return count

    found = await interleave(
        {"one caller (a commit each)": one_by_one, "many callers (group commit)": together}, rounds
    )
    await store.close()
    return found


def _note(tx: Tx, number: int) -> None:
    row = {"at": tx.now, "who": "bench", "what": "note", "subject": str(number)}
    tx.run(insert(schema.audit), row)
