"""Looks: reads written for a Tx, on one snapshot, that cannot write."""

import asyncio

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from store import engine, schema
from store.tx import Tx


def note(tx: Tx, what: str) -> None:
    tx.run(insert(schema.audit), {"at": tx.now, "who": "t", "what": what, "subject": "s"})


def count(tx: Tx) -> int:
    return int(tx.rows(select(func.count()).select_from(schema.audit))[0][0])


async def test_a_look_sees_what_was_committed_and_leaves_its_connection_usable(store) -> None:
    for n in range(30):
        await store.change(note, str(n))
        assert await store.look(count) == n + 1


async def test_a_look_cannot_write(store) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?\s?only"):
        await store.look(lambda tx: note(tx, "x"))
    await asyncio.gather(*(store.change(note, str(n)) for n in range(40)))  # by any connection
    assert await store.look(count) == 40


async def test_a_look_is_on_one_snapshot(store) -> None:
    loop = asyncio.get_running_loop()
    between = asyncio.Event()

    def twice(tx: Tx) -> tuple[int, int]:
        from sqlalchemy.util import await_only  # noqa: PLC0415 -- as the engine itself waits

        first = count(tx)
        loop.call_soon(between.set)
        await_only(asyncio.wait_for(written.wait(), 5))
        return first, count(tx)

    written = asyncio.Event()
    looking = asyncio.create_task(store.look(twice))
    await between.wait()
    await store.change(note, "meanwhile")
    written.set()
    assert await looking == (0, 0)
    assert await store.look(count) == 1


async def test_a_read_that_is_wrong_is_not_taken_for_a_store_away(store) -> None:
    with pytest.raises(DBAPIError, match="nowhere"):
        await store.look(lambda tx: tx.rows(text("SELECT * FROM nowhere")))


def test_a_file_that_cannot_be_opened_is_a_store_away(tmp_path) -> None:
    with pytest.raises(DBAPIError) as failed:
        create_engine(f"sqlite:///{tmp_path}/none/hub.db").connect()
    assert engine.away(failed.value)
