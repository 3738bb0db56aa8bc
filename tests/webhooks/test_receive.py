"""POST /webhooks/{name} over HTTP: what is refused leaves no trace, what gets a 200 is kept."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from pydantic import BaseModel

from hub import Connector, Event, Request
from hub.breaker import Gate
from hub.errors import NotStored
from hub.perform import Account
from hub.runner import Runner
from hub.worker import Worker
from store import operate, reads, schema
from tests.webhooks.conftest import NEW, OLD, Toy, body


async def test_a_signed_webhook_is_kept_and_its_events_named(bench) -> None:
    assert await bench.post(body("e1", "e2")) == 200
    inbox, events, _ = await bench.stored()
    assert (inbox, events) == (1, 2)
    async with bench.store.read() as connection:
        [(_, first), _] = await reads.list_events(connection, bench.store.cipher, newest=True)
    assert first["type"] == "toy.thing.made"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda b, h: (b, {}), id="unsigned"),
        pytest.param(lambda b, h: (b + b" ", h), id="altered body"),
        pytest.param(lambda b, h: (b, h | {"Toy-Signature": "0" * 64}), id="altered signature"),
        pytest.param(lambda b, h: (b, h | {"Toy-Time": "1"}), id="altered time"),
        pytest.param(lambda b, h: (b, h | {"Toy-Signature": "é"}), id="not ASCII"),
        pytest.param(lambda b, h: (b, h | {"Toy-Signature": ""}), id="empty"),
    ],
)
async def test_what_is_not_signed_right_is_refused_and_leaves_no_trace(bench, change) -> None:
    raw = body("e1")
    sent, headers = change(raw, bench.signed(raw))
    assert await bench.post(sent, headers) == 401
    assert await bench.stored() == (0, 0, [])


@pytest.mark.parametrize(("late", "status"), [(300, 200), (301, 401), (-300, 200), (-301, 401)])
async def test_a_stale_or_future_webhook_is_refused(bench, late, status) -> None:
    raw = body("e1")
    assert await bench.post(raw, bench.signed(raw, late=late)) == status


async def test_both_secrets_of_a_rotation_pass_until_the_old_ones_last_day(bench) -> None:
    raw = body("e1")
    assert await bench.post(raw, bench.signed(raw, OLD)) == 200
    assert await bench.post(raw, bench.signed(raw, NEW)) == 200
    bench.clock.advance(86_400)
    assert await bench.post(raw, bench.signed(raw, OLD)) == 401
    assert await bench.post(raw, bench.signed(raw, NEW)) == 200


@pytest.mark.parametrize("raw", [b"not json", b"", b'{"events":[{}]}', b"[" * 100 + b"]" * 100])
async def test_a_signed_body_that_cannot_be_read_is_kept_as_a_dead_job(bench, raw) -> None:
    assert await bench.post(raw) == 200
    inbox, events, jobs = await bench.stored()
    assert (inbox, events, len(jobs)) == (1, 0, 1)
    assert jobs[0]["state"] == "dead"
    assert "cannot be read" in jobs[0]["error"]
    assert await bench.post(raw) == 200
    assert len((await bench.stored())[2]) == 1


async def test_a_request_kept_unread_is_read_again_when_its_job_is_tried_again(
    bench, monkeypatch
) -> None:
    monkeypatch.setattr(Toy, "parse", lambda self, request: 1 / 0)
    assert await bench.post(body("e1")) == 200
    monkeypatch.undo()
    [dead] = (await bench.stored())[2]
    account = Account(
        connector=Toy("toy", None, None), client=None, gate=Gate(1), policy=None, actions={}
    )  # type: ignore[arg-type]  # fmt: skip
    runner = Runner(
        bench.store, accounts={"toy": account}, shop={}, policy_of=lambda _: None,
        reread=bench.receiver.reread, clock=bench.clock,
    )  # fmt: skip
    worker = Worker(runner)
    await worker.start()
    await bench.store.change(lambda tx, uid: operate.again(tx, uid, by="ana"), dead["uid"])

    async def over() -> bool:
        return (await bench.stored())[2][0]["state"] == "done"

    assert await worker.wait_for(over, 5)
    assert (await bench.stored())[1] == 1
    await worker.stop(timedelta(seconds=1))


async def test_the_same_webhook_50_times_from_10_connections_is_one(bench) -> None:
    raw = body("e1")
    headers = bench.signed(raw)

    async def sender() -> list[int]:
        async with ClientSession() as session:
            told = []
            for _ in range(5):
                async with session.post(
                    f"{bench.url}/webhooks/toy", data=raw, headers=headers
                ) as answer:
                    told.append(answer.status)
            return told

    told = await asyncio.gather(*(sender() for _ in range(10)))
    assert [s for statuses in told for s in statuses] == [200] * 50
    assert (await bench.stored())[:2] == (1, 1)


async def test_an_event_that_comes_in_two_batches_is_one(bench) -> None:
    assert await bench.post(body("e1", "e2")) == 200
    assert await bench.post(body("e2", "e3")) == 200
    assert (await bench.stored())[:2] == (2, 3)


async def test_an_unknown_connector_is_not_found(bench) -> None:
    assert await bench.post(body("e1"), name="unknown") == 404


async def test_another_method_is_not_allowed(bench) -> None:
    async with bench.http.get(f"{bench.url}/webhooks/toy") as answer:
        assert answer.status == 405


async def test_a_body_over_the_cap_is_refused_said_or_streamed(bench) -> None:
    raw = b"x" * 10_001
    assert await bench.post(raw) == 413

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 1000

    url = f"{bench.url}/webhooks/toy"
    async with bench.http.post(url, data=drip(), headers=bench.signed(raw)) as answer:
        assert answer.status == 413
    assert (await bench.stored())[0] == 0


async def test_a_packed_body_is_verified_as_sent_and_read_unpacked(bench) -> None:
    for coding, packed in (
        ("gzip", gzip.compress(body("e1"))),
        ("deflate", zlib.compress(body("e2"))),
    ):
        headers = bench.signed(packed) | {"Content-Encoding": coding}
        assert await bench.post(packed, headers) == 200
    assert (await bench.stored())[1] == 2


@pytest.mark.parametrize(
    ("coding", "packed", "status"),
    [
        ("br", b"x", 415),
        ("gzip, gzip", gzip.compress(b"{}", mtime=0), 415),
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-4], 400),
        ("gzip", gzip.compress(b"0" * 1_000_000, mtime=0), 413),
    ],
)
async def test_a_bad_coding_is_refused(bench, coding, packed, status) -> None:
    headers = bench.signed(packed) | {"Content-Encoding": coding}
    assert await bench.post(packed, headers) == status
    assert (await bench.stored())[0] == 0


async def test_a_body_that_never_ends_is_timed_out(bench) -> None:
    host, port = bench.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/toy HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    answer = await asyncio.wait_for(reader.readline(), 5)
    assert answer.startswith(b"HTTP/1.1 408")
    writer.close()


async def test_what_cannot_be_stored_is_answered_503_with_retry_after(bench, monkeypatch) -> None:
    async def broken(receipt: object) -> None:
        raise NotStored("the disk is full")

    monkeypatch.setattr(bench.store, "receive", broken)
    raw = body("e1")
    url = f"{bench.url}/webhooks/toy"
    async with bench.http.post(url, data=raw, headers=bench.signed(raw)) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert await bench.post(raw) == 200
    assert (await bench.stored())[1] == 1


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"events":[{"id":7,"type":"x","at":1}]}', id="an id that is no text"),
        pytest.param(b'{"events":[{"id":"\\ud800","type":"x","at":1}]}', id="half a character"),
        pytest.param(b'{"events":[{"id":"e","type":"x","at":1e18}]}', id="a time out of range"),
    ],
)
async def test_a_signed_event_that_cannot_be_written_is_kept_as_a_dead_job(bench, raw) -> None:
    assert await bench.post(raw) == 200
    inbox, events, jobs = await bench.stored()
    assert (inbox, events, [job["state"] for job in jobs]) == (1, 0, ["dead"])


async def test_why_a_body_cannot_be_read_repeats_nothing_of_it(bench, monkeypatch) -> None:
    class Contact(BaseModel):
        age: int

    def parse(self: Connector, request: Request) -> Iterable[Event]:
        who = request.json()["who"]
        return int(who) if who[0] == "a" else Contact(age=who)  # type: ignore[return-value] # fails

    monkeypatch.setattr(Toy, "parse", parse)
    for who in (b"ada@example.com", b"bob@example.com"):
        assert await bench.post(b'{"who": "%s"}' % who) == 200
    told = [job["error"] for job in (await bench.stored())[2]]
    assert len(told) == 2
    assert not any("example.com" in text for text in told)
    assert any("age" in text for text in told)


async def test_a_query_is_kept_only_sealed_for_it_may_hold_a_token(bench) -> None:
    raw = body("e1")
    sent = bench.signed(raw)
    url = f"{bench.url}/webhooks/toy?token=canary4711"
    async with bench.http.post(url, data=raw, headers=sent) as answer:
        assert answer.status == 200
    async with bench.store.read() as connection:
        [row] = (await connection.execute(schema.inbox.select())).all()
    assert "canary4711" not in repr(tuple(row))
    kept = await bench.store.kept_request(row.id)
    assert kept.url.endswith("/webhooks/toy?token=canary4711")
    assert kept.header("Toy-Signature") == sent["Toy-Signature"].encode()
