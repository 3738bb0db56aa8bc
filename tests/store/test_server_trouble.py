"""PostgreSQL goes away and comes back: what was told is kept, and the store goes on by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text

from hub.clock import SystemClock
from hub.errors import NotStored
from hub.model import Event, Job
from hub.secrets import Secret
from store import schema
from store.bell import CHANNEL
from store.crypto import new_key
from store.settle import Completion
from store.store import Store
from store.tx import Tx

KILL = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def note(tx: Tx, what: str) -> str:
    tx.run(insert(schema.audit), {"at": tx.now, "who": "t", "what": what, "subject": "s"})
    tx.woken = True
    return what


async def noted(store: Store) -> set[str]:
    async with store.read() as connection:
        return set((await connection.execute(select(schema.audit.c.what))).scalars())


async def opened(url, key, **how) -> Store:
    dsn = url.render_as_string(hide_password=False)
    return await Store.open(dsn, keys=[key], clock=SystemClock(), served=True, **how)


@pytest.fixture
async def store(crashable_database, key):
    made = await opened(crashable_database, key)
    yield made
    await made.close()


async def write_until(store: Store, over: asyncio.Event, who: int) -> tuple[set[str], int]:
    """Write without end, in every kind; give what was told to be kept, and how often it was not."""
    told, refused, n = set(), 0, 0
    while not over.is_set():
        n += 1
        kind = ("receipt", "completion", "change", "duty")[n % 4]
        try:
            what = f"{who}:{n}"
            told.add(await store.writer.submit(lambda tx, w=what: note(tx, w), kind=kind))
        except NotStored:
            refused += 1
            await asyncio.sleep(0.02)
    return told, refused


async def under_load(store: Store, trouble) -> tuple[set[str], int]:
    over = asyncio.Event()
    writers = [asyncio.create_task(write_until(store, over, n)) for n in range(8)]
    try:
        await trouble()
        async with asyncio.timeout(10):  # it comes back by itself
            while True:
                with suppress(NotStored):
                    await store.change(note, "back")
                    break
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    finally:
        over.set()
    ended = await asyncio.gather(*writers)
    return set.union(*(told for told, _ in ended)), sum(refused for _, refused in ended)


async def test_killed_connections_lose_nothing_that_was_told(store, crashable) -> None:
    async def kill_some() -> None:
        for _ in range(10):
            await crashable.ask(KILL, crashable.named(store.url.database))
            await asyncio.sleep(0.05)

    told, _ = await under_load(store, kill_some)
    assert len(told) > 100
    assert told <= await noted(store)
    assert store.writer.alive()


async def test_a_crashed_server_is_met_again_and_everything_told_is_there(store, crashable) -> None:
    async def crash() -> None:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(crashable.restart)

    told, refused = await under_load(store, crash)
    assert refused > 0
    assert len(told) > 50
    assert told <= await noted(store)
    assert store.writer.alive()


async def test_a_store_that_cannot_be_read_says_so_until_it_is_back(store, crashable) -> None:
    assert await noted(store) == set()
    with crashable.away():
        for read in (noted(store), store.look(lambda tx: tx.rows(select(schema.audit)))):
            with pytest.raises(NotStored, match="cannot be read"):
                await read
    assert await noted(store) == set()


async def hears(listener: Store, teller: Store) -> bool:
    """Say whether a commit of one node wakes another before it would look by itself."""
    listener.changed.clear()
    await teller.change(note, "heard")
    with suppress(TimeoutError):
        await asyncio.wait_for(listener.changed.wait(), 2)
    return listener.changed.is_set()


async def listening(server, url) -> bool:
    found = await server.ask("SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%'", url)
    return bool(found)


async def test_a_commit_of_one_node_wakes_another_also_after_the_server_restarted(
    crashable, crashable_database, key
) -> None:
    teller, listener = [await opened(crashable_database, key) for _ in range(2)]
    try:
        assert await within(5, lambda: hears(listener, teller))
        await asyncio.to_thread(crashable.restart)
        assert await within(10, lambda: wakes(listener, teller))
    finally:
        await teller.close()
        await listener.close()


async def wakes(listener: Store, teller: Store) -> bool:
    with suppress(NotStored):
        return await hears(listener, teller)
    return False


async def within(seconds: float, met) -> bool:
    async with asyncio.timeout(seconds):
        while not await met():
            await asyncio.sleep(0.05)
    return True


@asynccontextmanager
async def counting(server, url) -> AsyncIterator[list[object]]:
    """Give what rang, once this node listens."""
    heard: list[object] = []
    assert await within(5, lambda: listening(server, url))
    async with server.connect(url) as connection:
        await connection.add_listener(CHANNEL, lambda *told: heard.append(told))
        yield heard
        await asyncio.sleep(0.3)
        await connection.execute("SELECT 1")


async def test_many_commits_ring_once(store, crashable) -> None:
    async with counting(crashable, store.url) as heard:
        await asyncio.gather(*(store.change(note, str(n)) for n in range(100)))
    assert 1 <= len(heard) <= 10


async def test_events_nobody_must_act_on_are_numbered_and_ring_for_nobody(store, crashable) -> None:
    async def numbered() -> bool:
        async with store.read() as connection:
            return await connection.scalar(select(func.count(schema.feed.c.n))) == 20

    async with counting(crashable, store.url) as heard:
        for n in range(20):
            told = Event(type="shop.told", at=store.clock.now(), data={"n": n})
            await store.change(lambda tx, it: tx.emit(it), told)
        assert await within(5, numbered)
    assert heard == []


async def test_two_connections_that_lock_crosswise_both_commit_in_the_end(store) -> None:
    """The server ends one of them; it is run again and its caller never knows."""
    await store.know_accounts(["a", "b"])
    first = asyncio.Event()
    loop = asyncio.get_running_loop()
    runs = []

    def crosswise(tx: Tx, order: str) -> str:
        runs.append(order)
        for account in order:
            held = {"held": schema.accounts.c.held + 1}
            row = schema.accounts.update().where(schema.accounts.c.account == account)
            tx.run(row.values(held))
            loop.call_soon(first.set)
            if len(runs) <= 2:
                tx.connection.exec_driver_sql("SELECT pg_sleep(0.1)")
        return order

    told = await asyncio.gather(store.change(crosswise, "ab"), store.change(crosswise, "ba"))
    assert told == ["ab", "ba"]
    assert len(runs) > 2
    async with store.read() as connection:
        held = (await connection.execute(select(schema.accounts.c.held))).scalars().all()
    assert held == [2, 2]


async def test_a_full_pool_is_waited_for_not_failed(store) -> None:
    def slow(tx: Tx, n: int) -> int:
        tx.connection.exec_driver_sql("SELECT pg_sleep(0.05)")
        return n

    assert await asyncio.gather(*(store.change(slow, n) for n in range(60))) == list(range(60))


async def test_a_pool_is_no_larger_than_it_may_be(crashable_database, crashable, key) -> None:
    count = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    most = 0

    def slow(tx: Tx, n: int) -> int:
        nonlocal most
        most = max(most, tx.connection.exec_driver_sql(count).scalar_one() + 1)
        tx.connection.exec_driver_sql("SELECT pg_sleep(0.02)")
        return n

    store = await opened(crashable_database, key, pool=4)
    try:
        told = await asyncio.gather(*(store.change(slow, n) for n in range(60)))
    finally:
        await store.close()
    assert told == list(range(60))
    assert most <= 4 + 1  # one listens


async def test_a_holder_that_idles_delays_its_own_lane_alone(store, crashable, job, clock) -> None:
    await store.know_accounts(["crm"])
    await store.write(lambda tx: tx.enqueue(job(lane="held"), job(lane="free")))
    async with crashable.connect(store.url) as idle, idle.transaction():
        await idle.execute("SELECT 1 FROM jobs WHERE lane = 'held' FOR UPDATE")
        due = store.clock.now() + timedelta(seconds=60)
        claimed, _ = await store.claim({"crm": 10}, node="n", until=due)
        assert [one.lane for one in claimed] == ["free"]
    claimed, _ = await store.claim({"crm": 10}, node="n", until=due)
    assert [one.lane for one in claimed] == ["held"]


async def test_a_holder_that_idles_delays_no_other_jobs_end(store, crashable, job) -> None:
    """An end that has lost its row too often waits for it alone, not at the head of the queue."""
    await store.know_accounts(["crm"])
    new = [job(lane=str(n)) for n in range(40)]
    await store.write(lambda tx: tx.enqueue(*new))
    due = store.clock.now() + timedelta(seconds=60)
    claimed, _ = await store.claim({"crm": 40}, node="n", until=due)
    held, *others = [ended(one, store.clock) for one in claimed]
    async with crashable.connect(store.url) as idle, idle.transaction():
        await idle.execute("SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE", held.job.id)
        waits = asyncio.create_task(store.settle(held))
        assert await within(10, lambda: somebody_waits(crashable, store))
        async with asyncio.timeout(15):
            assert all([await store.settle(one) for one in others])
        assert not waits.done()
    assert await waits


async def somebody_waits(server, store) -> bool:
    found = await server.ask(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'", store.url
    )
    return bool(found)


def ended(job: Job, clock: SystemClock) -> Completion:
    return Completion(job=job, state="done", outcome="ok", started_at=clock.now(), ms=1)


async def test_behind_a_pooler_nothing_is_left_on_a_connection_and_nobody_listens(
    crashable, crashable_database, job
) -> None:
    """A pooler gives a connection to another client after each transaction."""
    url = crashable_database.update_query_dict({"pooler": "transaction"})
    store = await opened(url, Secret(new_key()))
    try:
        await store.know_accounts(["crm"])
        await asyncio.gather(*(store.write(lambda tx: tx.enqueue(job())) for _ in range(20)))
        due = store.clock.now() + timedelta(seconds=60)
        assert len((await store.claim({"crm": 50}, node="n", until=due))[0]) == 20
        assert not await listening(crashable, crashable_database)
        left = text("SELECT name FROM pg_prepared_statements")
        async with store.place.pool.connect() as one, store.place.pool.connect() as another:
            names = [row.name for c in (one, another) for row in await c.execute(left)]
        assert len(names) == len(set(names)) <= 2  # each its own, and only of these questions
    finally:
        await store.close()
