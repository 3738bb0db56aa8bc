"""POST /webhooks/{name} over HTTP: what is refused leaves no trace, what gets a 200 is kept."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from aiohttp import ClientSession, web
from pydantic import BaseModel

from hub import Connector, ConnectorSettings, Event, ManualClock, Request, Secret, schemes
from hub.breaker import Gate
from hub.config.instances import WebhookSecret
from hub.errors import NotStored
from hub.perform import Account
from hub.routing import Router
from hub.runner import Runner
from hub.worker import Worker
from store import operate, reads, schema
from store.crypto import new_key
from store.store import Store
from webhooks.receive import Door, Receiver

SCHEME = schemes.Hmac(header="Toy-Signature", signed="{t}.{body}", time_header="Toy-Time")
OLD, NEW = Secret("old secret of the toy", "TOY_OLD"), Secret("new secret of the toy", "TOY")


class Toy(Connector):
    type = "toy"
    Settings = ConnectorSettings

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        SCHEME.verify(request, secret, now=now)

    def sign(self, body: bytes, secret: Secret, *, now: float) -> Mapping[str, str]:
        return SCHEME.sign(body, secret, now=now)

    def parse(self, request: Request) -> Iterable[Event]:
        for item in request.json()["events"]:
            at = datetime.fromtimestamp(item["at"], UTC)
            yield Event(ext_id=item["id"], type=item["type"], at=at, data=item)


@dataclass
class Bench:
    """A hub's webhook door, its store, and the world outside."""

    store: Store
    clock: ManualClock
    receiver: Receiver
    url: str
    http: ClientSession

    def signed(self, body: bytes, secret: Secret = NEW, late: float = 0) -> dict[str, str]:
        now = self.clock.now().timestamp() - late
        return dict(Toy("toy", None, None).sign(body, secret, now=now))

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None, name="toy") -> int:
        sent = self.signed(body) if headers is None else headers
        async with self.http.post(f"{self.url}/webhooks/{name}", data=body, headers=sent) as answer:
            return answer.status

    async def stored(self) -> tuple[int, int, list[dict]]:
        async with self.store.read() as connection:
            return (
                len(await reads.list_inbox(connection)),
                len(await reads.list_events(connection, self.store.cipher, newest=True)),
                await reads.list_jobs(connection),
            )


@pytest.fixture
async def bench(store_url: str) -> AsyncIterator[Bench]:
    clock = ManualClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
    store = await Store.open(store_url, keys=[Secret(new_key())], clock=clock, served=True)
    await store.know_accounts(["toy"])
    secrets = (WebhookSecret(value=OLD, until=date(2026, 5, 1)), WebhookSecret(value=NEW))
    toy = Toy("toy", None, None, "https://hub.example.com/webhooks/toy")
    receiver = Receiver(
        store, {"toy": Door(toy, secrets)}, route=Router([]).jobs_for, clock=clock,
        cap=10_000, within=0.3,
    )  # fmt: skip
    app = web.Application(client_max_size=10_000)
    app.add_routes([web.post("/webhooks/{name}", receiver.post)])
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(auto_decompress=False) as http:
        yield Bench(store, clock, receiver, f"http://{host}:{port}", http)
    await runner.cleanup()
    await store.close()


def body(*ids: str) -> bytes:
    items = ",".join(f'{{"id":"{i}","type":"thing.made","at":1700000000}}' for i in ids)
    return f'{{"events":[{items}]}}'.encode()


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
