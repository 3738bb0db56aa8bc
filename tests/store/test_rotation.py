"""Rotation: everything sealed anew beside hubs that go on, and what is met on the way."""

import asyncio

import pytest
from sqlalchemy import LargeBinary, insert, select, update

from hub.errors import ConfigError
from hub.model import Event, Request
from hub.secrets import Secret
from store import endpoint_secrets, idempotency, inbox, rotation, schema, sealed
from store.crypto import Cipher, new_key
from store.inbox import Receipt, Taken
from store.store import Store
from store.webhook_schema import endpoint_secrets as made_endpoints

# What is bytes, but no value that is sealed: hashes, and what is no secret.
CLEAR = {
    "dedupe.key16", "job_keys.key16", "idempotency.fingerprint", "idempotency.headers",
    "api_keys.hash", "jobs.body_hash", "job_history.body_hash", "recipient_hours.who",
    "accounts.strikes",
}  # fmt: skip
CALL = idempotency.KeyedCall(scope="key POST /v1/orders", key="abc", fingerprint=b"f")


def test_every_column_of_bytes_is_sealed_or_said_to_be_clear() -> None:
    bytes_of = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert {one.name for one in sealed.SEALED} | CLEAR == bytes_of


def different(key: Secret) -> Secret:
    """Make a key that can be told from another: one in 256 cannot."""
    while True:
        try:
            Cipher([made := Secret(new_key(), "new"), key])
        except ConfigError:
            continue
        return made


@pytest.fixture
def newer(key) -> Secret:
    return different(key)


async def fill(store: Store, job, count: int) -> None:
    """Write jobs that wait and jobs that are over, events, and one of everything else sealed."""

    def write(tx, start: int) -> None:
        for n in range(start, min(start + 500, count)):
            event = Event(id=f"evt_{n}", type="sale.made", at=tx.now, data={"n": n})
            tx.emit(event)
            tx.enqueue(job(payload=b'{"n": %d}' % n))

    for start in range(0, count, 500):
        await store.write(lambda tx, start=start: write(tx, start))
    await store.write(_one_of_each)


def _one_of_each(tx) -> None:
    idempotency.begin(tx, CALL)
    idempotency.finish(tx, CALL, idempotency.Kept(status=201, headers={}, body=b"answer"))
    endpoint_secrets.hold(tx, "stripe", "we_1", Secret("whsec_x", "made"))
    asked = Request(
        method="POST", url="https://h/x", headers=((b"a", b"b"),), body=b"{}", received_at=tx.now
    )
    told = Taken(event=Event(id="evt_in", type="crm.told", at=tx.now, data={}), jobs=())
    receipt = Receipt(id="inb_1", connector="crm", request=asked, received_at=tx.now, taken=[told])
    inbox.receive(tx, [receipt])
    over = {c.name: None for c in schema.job_history.columns if c.name != "n"}
    row = tx.row(select(schema.jobs).limit(1))
    over |= {name: getattr(row, name) for name in over if hasattr(row, name)}
    over |= {"state": "done", "ended_at": tx.now, "uid": "job_over"}
    over["payload"] = tx.seal(b"over", "jobs.payload", "job_over")
    tx.run(insert(schema.job_history), over)


async def keys_of(store: Store) -> set[bytes]:
    """Give the ids of all keys by which anything is sealed."""

    def look(tx) -> set[bytes]:
        return {row[0] for one in sealed.SEALED for row in tx.rows(select(one.key_id)) if row[0]}

    return await store.look(look)


async def opened(store: Store) -> int:
    """Open every sealed value as readers do; raises where one stays shut."""

    def look(tx) -> int:
        count = 0
        for one in sealed.SEALED:
            for row in tx.rows(select(*one.key, *one.ident, one.column.label("it"))):
                if row.it:
                    tx.unseal(row.it, one.label or one.name, one.of(row))
                    count += 1
        return count

    return await store.look(look)


async def beside(store: Store, *keys: Secret) -> Store:
    return await Store.open(
        store.url.render_as_string(hide_password=False), keys=keys, clock=store.clock
    )


async def test_all_is_sealed_anew_and_read_meanwhile(store, key, newer, job) -> None:
    await fill(store, job, 300)
    hub, by_hand = await beside(store, newer, key), await beside(store, newer, key)
    rotating = asyncio.create_task(rotation.rotate(by_hand))
    reads = 0
    while not rotating.done():
        reads += await opened(hub)
        await hub.write(lambda tx: tx.enqueue(job(payload=b"fresh")))
    done = await rotating
    assert reads > 600
    assert done.sealed["jobs.payload"] == done.sealed["events.data"] - 1 == 300
    assert done.sealed["job_history.payload"] == done.sealed["endpoint_secrets.secret"] == 1
    assert done.sealed["inbox.headers"] == done.sealed["inbox.body"] == 1
    assert done.sealed["idempotency.body"] == 1
    assert (done.left, done.closed) == (0, set())
    assert await keys_of(hub) == {hub.cipher.first}
    await by_hand.close()
    await hub.close()
    alone = await beside(store, newer)
    assert await opened(alone) > 600
    assert (await alone.look(lambda tx: sealed.keyless(tx, most=3)))["broken"] == 0
    await alone.close()


class CutOff(Exception):
    pass


async def test_cut_off_it_goes_on_where_it_was(store, key, newer, job, monkeypatch) -> None:
    await fill(store, job, 250)
    by_hand = await beside(store, newer, key)
    passed = []

    def cut(_point: str) -> None:
        passed.append(1)
        if len(passed) == 4:
            raise CutOff

    monkeypatch.setattr(rotation.crash, "at", cut)
    with pytest.raises(CutOff):
        await rotation.rotate(by_hand)
    assert await keys_of(by_hand) == {by_hand.cipher.first, Cipher([key]).first}
    monkeypatch.setattr(rotation.crash, "at", lambda _: None)
    done = await rotation.rotate(by_hand)
    assert 0 < done.sealed.total() < 505
    assert await keys_of(by_hand) == {by_hand.cipher.first}
    assert (await rotation.rotate(by_hand)).sealed.total() == 0
    await by_hand.close()


async def test_a_value_no_key_opens_is_named_and_the_rest_goes_on(store, newer, job) -> None:
    await fill(store, job, 20)
    await store.write(
        lambda tx: tx.run(
            update(made_endpoints).values(secret=bytes(29)).where(made_endpoints.c.ref == "we_1")
        )
    )
    assert bytes(1) not in {store.cipher.first, Cipher([newer]).first}, "made anew by the next run"
    done = await rotation.rotate(store)
    assert done.closed == {("endpoint_secrets.secret", "stripe/we_1")}
    told = await store.look(lambda tx: sealed.keyless(tx, most=3))
    assert told["rows"] == [{"column": "endpoint_secrets.secret", "row": "stripe/we_1"}]
    assert told["broken"] == 1


async def test_a_swapped_value_is_named_though_its_key_is_at_hand(store, key, newer, job) -> None:
    await fill(store, job, 3)

    def swap(tx) -> None:
        found = select(schema.events.c.id, schema.events.c.data).order_by(schema.events.c.n)
        first, second, *_ = tx.rows(found)
        row = update(schema.events).where(schema.events.c.id == first.id)
        tx.run(row.values(data=second.data))

    await store.write(swap)
    by_hand = await beside(store, newer, key)
    done = await rotation.rotate(by_hand)
    await by_hand.close()
    assert done.closed == {("events.data", "evt_0")}
    assert done.sealed["events.data"] == 3


async def test_a_hub_that_still_writes_with_the_old_key_is_told(store, key, newer, job) -> None:
    await fill(store, job, 5)
    by_hand = await beside(store, newer, key)
    asked = by_hand.write

    async def slow(work):
        """Let a hub that knows only the old key write before each of our commits."""
        result = await asked(work)
        await store.write(lambda tx: tx.enqueue(job(payload=b"old")))
        return result

    by_hand.write = slow
    await rotation.rotate(by_hand)
    by_hand.write = asked
    assert await keys_of(by_hand) > {by_hand.cipher.first}
    await rotation.rotate(by_hand)
    assert await keys_of(by_hand) == {by_hand.cipher.first}
    await by_hand.close()


def test_keys_that_cannot_be_told_apart_are_refused(key) -> None:
    while True:
        other = Secret(new_key(), "other")
        if Cipher([other]).first == Cipher([key]).first:
            break
    with pytest.raises(ConfigError, match="told apart"):
        Cipher([other, key])
    assert Cipher([key, key]).ids == {Cipher([key]).first}
