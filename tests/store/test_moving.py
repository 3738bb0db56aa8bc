"""A stopped hub's store, copied from its file into PostgreSQL: all of it, once, in order."""

from collections import defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from hub.errors import ConfigError, HubError
from hub.model import Event
from store import engine, moved, moving, reads, schema, shop_checks, verify
from store.events import add_event
from store.settle import Completion
from store.store import Store

LANES = 7


@pytest.fixture
async def filled(tmp_path, key, clock, job):
    """A file with jobs in every state, some lanes half done; what is asked of it afterwards."""
    url = f"sqlite:///{tmp_path}/old.db"
    store = await Store.open(url, keys=[key], clock=clock, served=True)
    await store.know_accounts(["crm", "mail"])
    await fill(store, job, 400)
    await store.close()
    return url


async def fill(store, job, count: int) -> None:
    def write(tx, start: int) -> None:
        for n in range(start, min(start + 200, count)):
            made = job(lane=f"lane {n % LANES}" if n % 3 else None, payload=b"%d" % n,
                       event_id=f"evt_{n}")  # fmt: skip
            add_event(tx, Event(id=f"evt_{n}", type="shop.order.paid", at=tx.now, data={"n": n}),
                      jobs_made=1)  # fmt: skip
            tx.enqueue(made)

    for start in range(0, count, 200):
        await store.write(lambda tx, start=start: write(tx, start))
    await perform(store, rounds=3, most=20)
    store.clock.advance(61)


async def perform(store, *, rounds: int, most: int) -> list[tuple[str | None, bytes]]:
    """Claim and end jobs as a worker does; give their lanes and payloads."""
    done = []
    for _ in range(rounds):
        until = store.clock.now() + timedelta(seconds=60)
        found, _ = await store.claim({"crm": most}, node="n", until=until)
        if not found:
            break
        for job in found:
            ended = Completion(job=job, state="done", outcome="ok", started_at=until, ms=1)
            assert await store.settle(ended)
        done += [(job.lane, job.payload) for job in found]
    return done


@pytest.fixture
def target(empty_database) -> str:
    return empty_database.render_as_string(hide_password=False)


async def counted(url: str) -> dict[str, int]:
    async with moved.database(engine.parse(url)) as database:
        names = [row[0] for row in await database.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )]  # fmt: skip
        return {name: await database.fetchval(f"SELECT count(*) FROM {name}") for name in names}


async def test_all_goes_over_and_the_lanes_go_on(filled, target, key, clock, job) -> None:
    rows = await moving.move(filled, target)
    there = await counted(target)
    assert {name: there[name] for name in rows} == rows | {"feed": 400}
    assert moved.ABOUT not in there
    store = await Store.open(target, keys=[key], clock=clock, served=True)
    try:
        left = await perform(store, rounds=500, most=50)
        order = defaultdict(list)
        for lane, payload in left:
            order[lane].append(int(payload))
        for lane, its in order.items():
            assert lane is None or its == sorted(its)
        async with store.read() as connection:
            payloads = (await connection.scalars(select(schema.job_history.c.uid))).all()
            told = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
        assert len(payloads) == len(set(payloads)) == 400
        assert [one for one in told if one["broken"]] == []
        await store.write(lambda tx: tx.enqueue(job()))
        async with store.read() as connection:
            assert await connection.scalar(select(schema.jobs.c.id)) == 401
    finally:
        await store.close()


async def test_who_reads_the_events_goes_on_from_where_they_were(filled, target, key, clock):
    before = await Store.open(filled, keys=[key], clock=clock)
    async with before.read() as connection:
        old = await reads.list_events(connection, before.cipher, after=390)
    await before.close()
    await moving.move(filled, target)
    after = await Store.open(target, keys=[key], clock=clock)
    async with after.read() as connection:
        new = await reads.list_events(connection, after.cipher, after=390)
    await after.close()
    assert [(at, one["id"]) for at, one in old] == [(at, one["id"]) for at, one in new]
    assert len(new) == 10


class CutOff(Exception):
    pass


@pytest.mark.parametrize("piece", [1, 3, 9])
async def test_cut_off_it_goes_on_where_it_was(filled, target, key, clock, monkeypatch, piece):
    monkeypatch.setattr(moving, "PIECE", 150)
    whole, done = moved.put, []

    async def cut(*args, **more) -> None:
        if len(done) == piece:
            raise CutOff
        done.append(1)
        await whole(*args, **more)

    monkeypatch.setattr(moved, "put", cut)
    with pytest.raises(CutOff):
        await moving.move(filled, target)
    with pytest.raises(ConfigError, match="half of a copy"):
        await Store.open(target, keys=[key], clock=clock, served=True)
    monkeypatch.setattr(moved, "put", whole)
    rows = await moving.move(filled, target)
    there = await counted(target)
    assert {name: there[name] for name in rows} == rows | {"feed": 400}


async def test_a_source_that_changed_meanwhile_is_not_gone_on_with(
    filled, target, key, clock, job, monkeypatch
) -> None:
    whole = moved.end

    async def cut(*_) -> None:
        raise CutOff

    monkeypatch.setattr(moved, "end", cut)
    with pytest.raises(CutOff):
        await moving.move(filled, target)
    monkeypatch.setattr(moved, "end", whole)
    store = await Store.open(filled, keys=[key], clock=clock, served=True)
    await perform(store, rounds=1, most=1)
    await store.close()
    with pytest.raises(ConfigError, match="changed since"):
        await moving.move(filled, target)


async def test_a_running_hub_is_not_copied(filled, target, key, clock) -> None:
    store = await Store.open(filled, keys=[key], clock=clock, served=True)
    with pytest.raises(ConfigError, match="serves one hub"):
        await moving.move(filled, target)
    await store.close()


async def test_nothing_is_written_over(filled, target, key, clock) -> None:
    store = await Store.open(target, keys=[key], clock=clock, served=True)
    await store.know_accounts(["crm"])
    await store.close()
    with pytest.raises(ConfigError, match="accounts has rows"):
        await moving.move(filled, target)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "at migration 0001"),
        ("DROP TABLE alembic_version", "not the hub's"),
    ],
)
async def test_what_is_no_store_of_this_release_is_left_alone(
    filled, target, key, clock, sql, why
) -> None:
    await (await Store.open(target, keys=[key], clock=clock, served=True)).close()
    async with moved.database(engine.parse(target)) as database:
        await database.execute(sql)
    with pytest.raises(ConfigError, match=why):
        await moving.move(filled, target)


@pytest.mark.parametrize("way", [("target", "filled"), ("filled", "filled"), ("target", "target")])
async def test_there_is_one_way_only(filled, target, way) -> None:
    urls = {"filled": filled, "target": target}
    with pytest.raises(ConfigError, match="no other way"):
        await moving.move(urls[way[0]], urls[way[1]])


async def test_a_file_that_is_not_there_is_said(tmp_path, target) -> None:
    with pytest.raises(HubError, match="does not exist"):
        await moving.move(f"sqlite:///{tmp_path}/none.db", target)


async def test_a_nul_that_postgresql_has_not_is_shown_instead(filled, target, key, clock) -> None:
    store = await Store.open(filled, keys=[key], clock=clock, served=True)
    row = {"at": clock.now(), "who": "a\0b", "what": "x", "subject": "y"}
    await store.write(lambda tx: tx.run(insert(schema.audit), row))
    await store.close()
    await moving.move(filled, target)
    after = await Store.open(target, keys=[key], clock=clock)
    async with after.read() as connection:
        who = (await connection.scalars(select(schema.audit.c.who))).all()
    await after.close()
    assert "a\N{SYMBOL FOR NULL}b" in who
