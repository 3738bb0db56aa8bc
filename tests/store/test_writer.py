"""The writer: commits together, refuses alone, seals what is private, keeps a second hub out."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select

from hub.clock import ManualClock
from hub.errors import ConfigError, HubError, NotStored, Refused
from hub.secrets import Secret
from store import engine, schema
from store.crypto import Cipher, new_key
from store.store import Store
from store.tx import Tx


def note(tx: Tx, what: str) -> str:
    tx.run(insert(schema.audit), {"at": tx.now, "who": "t", "what": what, "subject": "s"})
    if what == "refused":
        raise Refused("out_of_stock", "none left")
    if what == "broken":
        raise RuntimeError("a bug")
    return what


async def noted(store: Store) -> list[str]:
    async with store.read() as connection:
        rows = await connection.execute(select(schema.audit.c.what).order_by(schema.audit.c.n))
        return [row.what for row in rows]


async def test_a_refusal_undoes_its_own_change_and_no_neighbours(store) -> None:
    wanted = ["a", "refused", "b"]
    told = await asyncio.gather(*(store.change(note, w) for w in wanted), return_exceptions=True)
    assert told[0] == "a"
    assert isinstance(told[1], Refused)
    assert told[2] == "b"
    assert sorted(await noted(store)) == ["a", "b"]


async def test_a_bug_in_one_unit_fails_it_alone(store) -> None:
    wanted = ["a", "broken", "b"]
    told = await asyncio.gather(*(store.change(note, w) for w in wanted), return_exceptions=True)
    assert [type(t) for t in told] == [str, RuntimeError, str]
    assert sorted(await noted(store)) == ["a", "b"]


async def test_waiting_units_share_a_commit(store) -> None:
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    place = store.place
    event.listen(place.writing if place.alone else place.pool.sync_engine, "commit", count)
    units = (store.writer.submit(partial(note, what=str(n)), kind="receipt") for n in range(300))
    await asyncio.gather(*units)
    assert len(await noted(store)) == 300
    assert commits < 30


async def test_a_store_that_cannot_commit_says_so_and_goes_on(store) -> None:
    def twice(tx: Tx) -> None:
        row = {"account": "x", "connector": "x"}
        tx.run(insert(schema.accounts), row)
        tx.run(insert(schema.accounts), row)

    with pytest.raises(NotStored):
        await store.write(twice)
    assert await store.change(note, "after") == "after"


async def test_a_caller_who_hangs_up_cancels_nothing(store) -> None:
    asked = asyncio.create_task(store.change(note, "kept"))
    await asyncio.sleep(0)
    asked.cancel()
    await store.change(note, "next")
    assert await noted(store) == ["kept", "next"]


async def test_commits_are_durable(store) -> None:
    def settings(tx: Tx) -> list[object]:
        if tx.connection.dialect.name == "postgresql":
            names = ("synchronous_commit", "transaction_isolation")
            return [tx.connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    wanted = ["wal", 2, 1] if store.alone else ["on", "read committed"]
    assert await store.write(settings) == wanted


async def test_a_second_hub_is_kept_out_and_told_by_whom(file_store, clock, key) -> None:
    with pytest.raises(ConfigError, match=r"store.single.*process \d+"):
        await Store.open(str(file_store.url), keys=[key], clock=clock, served=True)


async def test_a_command_beside_the_hub_is_seen_by_it(file_store, clock, key) -> None:
    store = file_store
    async with store.read() as connection:
        before = await store.data_version(connection)
        beside = await Store.open(str(store.url), keys=[key], clock=clock)
        await beside.change(note, "beside")
        await beside.close()
        assert await store.data_version(connection) != before


async def test_a_store_of_a_later_release_is_refused(store, store_url, clock, key) -> None:
    await store.write(
        lambda tx: tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'zzzz'")
    )
    with pytest.raises(ConfigError, match=r"store\.newer"):
        await Store.open(store_url, keys=[key], clock=clock)


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("sqlite://", "sqlite:///var/hub.db"),
        ("sqlite:///:memory:", "sqlite:///var/hub.db"),
        ("postgresql://ana:pw@db/shop", r"postgresql\+asyncpg://ana:\*\*\*@db/shop"),
        ("postgres://db/shop", r"postgresql\+asyncpg://db/shop"),
        ("postgresql+psycopg://db/shop", "asyncpg"),
        ("postgresql+asyncpg://db", "DATABASE"),
        ("mysql://db/shop", "asyncpg"),
        ("var/hub.db", "sqlite:///"),
    ],
)
def test_a_url_this_release_cannot_use_is_refused_with_one_it_can(url: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)store\.url.*{fix}"):
        engine.parse(url)


def test_a_sealed_value_moved_to_another_row_does_not_open() -> None:
    cipher = Cipher([Secret(new_key())])
    sealed = cipher.seal(b"value", "events.data:evt_1")
    assert cipher.open(sealed, "events.data:evt_1") == b"value"
    with pytest.raises(HubError, match="changed, moved"):
        cipher.open(sealed, "events.data:evt_2")


def test_an_old_key_still_opens_what_it_sealed() -> None:
    old, new = Secret(new_key()), Secret(new_key())
    sealed = Cipher([old]).seal(b"value", "t.c:1")
    assert Cipher([new, old]).open(sealed, "t.c:1") == b"value"
    with pytest.raises(HubError, match="lacks"):
        Cipher([new]).open(sealed, "t.c:1")


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64 at all!"])
def test_a_weak_encryption_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"secret\.weak"):
        Cipher([Secret(key, "HUB_KEY")])


async def test_nothing_private_lies_in_the_file(
    tmp_path: Path, clock: ManualClock, key: Secret, job
) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/x.db", keys=[key], clock=clock, served=True)
    await store.write(lambda tx: tx.enqueue(job(payload=b'{"email": "canary@example.com"}')))
    await store.close()
    for path in list(tmp_path.iterdir()):  # noqa: ASYNC240
        assert b"canary@example.com" not in path.read_bytes()


async def test_a_locked_store_tells_all_who_wait_at_once(file_store, clock, key) -> None:
    store = file_store
    await store.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA busy_timeout=1"))
    other = engine.writing(store.url)
    with other.begin():
        asked = (store.change(note, str(n)) for n in range(50))
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(t) for t in told} == {NotStored}
    assert await store.change(note, "after") == "after"
    assert await noted(store) == ["after"]


async def test_an_error_of_the_database_repeats_no_value(store) -> None:
    row = {"account": "ada@example.com", "connector": "x"}

    def twice(tx: Tx) -> None:
        for _ in range(2):
            tx.run(insert(schema.accounts), row)

    with pytest.raises(NotStored) as told:
        await store.write(twice)
    assert "ada" not in f"{told.value} {told.value.__cause__}"


@pytest.mark.parametrize("error", [StopIteration, SystemExit])
async def test_a_unit_that_ends_strangely_keeps_nobody_waiting(file_store, error) -> None:
    def strange(_: Tx) -> None:
        raise error

    async with asyncio.timeout(5):
        told = await asyncio.gather(
            file_store.write(strange), file_store.change(note, "a"), return_exceptions=True
        )
    assert type(told[0]) is RuntimeError
    assert told[1] == "a"
    assert await file_store.change(note, "after") == "after"


async def test_a_writer_that_has_ended_takes_nothing(file_store) -> None:
    await file_store.writer.close()
    file_store.writer.close = lambda: asyncio.sleep(0)
    with pytest.raises(NotStored):
        await file_store.change(note, "late")
