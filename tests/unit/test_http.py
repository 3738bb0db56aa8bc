"""The one way out, against real servers on loopback: what leaves, and what answers mean."""

import asyncio
import gzip
import hashlib
import socket
import ssl
import time
import traceback
import tracemalloc
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import ClassVar

import pytest
import stripe
from aiohttp.resolver import ThreadedResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub import (
    Ambiguous,
    AuthFailed,
    CallError,
    Connector,
    ConnectorSettings,
    HubError,
    ManualClock,
    RateLimited,
    Reject,
    Retry,
    Secret,
    SystemClock,
    Url,
    bearer,
)
from hub.http.client import CAP, Outbound
from hub.http.egress import REUSE

KEY = "sk_canary_0123456789"
PERSON = "jane.doe@example.com"
LOOPBACK = ("127.0.0.0/8",)


class Settings(ConnectorSettings):
    key: Secret
    base_url: Url


class Shop(Connector):
    """A connector with one row of its own."""

    type = "shop24"
    auth = bearer("key")
    statuses: ClassVar = {409: Retry}
    request_id_header = "X-Request"
    Settings = Settings

    def classify(self, answer):
        """Read the provider's own code."""
        if answer.json().get("code") == "expired":
            return Ambiguous("the offer has expired", final=True)
        return None


# -- servers -------------------------------------------------------------------------------------
class Server:
    """HTTP by hand on 127.0.0.1: `play(head, body, writer)` answers; True keeps the connection."""

    def __init__(self, play, tls=None):
        self.play, self.tls = play, tls
        self.heads, self.bodies, self.connects = [], [], 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"
        self.tasks = set()
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        self.connects += 1
        try:
            while await self.one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields.get("Content-Length", 0)))
        self.heads.append(head)
        self.bodies.append(body)
        return await self.play(head, body, writer)


class Silent(Server):
    """Takes connections and says nothing."""

    async def one(self, reader, writer):
        await asyncio.sleep(3600)


def plain(status=200, body=b"{}", *headers):
    """Answer the same each time, and keep the connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]

    async def play(head, sent, writer):
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return True

    return play


async def reset(head, body, writer):
    writer.transport.abort()
    return False


async def close(head, body, writer):
    return False


async def hang(head, body, writer):
    await asyncio.sleep(3600)


def raw(data, *, then_close=True):
    async def play(head, body, writer):
        writer.write(data)
        await writer.drain()
        return not then_close

    return play


async def endless(head, body, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


@pytest.fixture
async def out():
    async with Outbound(SystemClock()) as way:
        yield way


def client(out, server, *, path="", **how):
    url = server if isinstance(server, str) else server.url
    made = Settings(key=Secret(KEY, "key"), base_url=url + path)
    how = {"allow_private": LOOPBACK, "total_timeout": 5.0} | how
    return out.client(Shop, made, name="shop24", **how)


def attempt(out, server, *, seconds=5, timeout=None, expected_hash=None, **how):
    deadline = out.clock.now() + timedelta(seconds=seconds)
    way = client(out, server, **how)
    return way.attempt(deadline=deadline, timeout=timeout, expected_hash=expected_hash)


async def outcome(call):
    """Give the CallError a call ends in; None where it succeeds."""
    try:
        await call
    except CallError as error:
        return error
    return None


# -- what leaves ---------------------------------------------------------------------------------
async def test_the_credential_is_added_last_over_whatever_was_there(out):
    async with Server(plain()) as server:
        headers = {"authorization": "Bearer forged", "User-Agent": "sdk/1 (host)", "X-Own": "1"}
        await client(out, server).post("/x", json={"a": 1}, headers=headers)
    head = server.heads[0]
    assert head.count("uthorization") == 1
    assert f"Authorization: Bearer {KEY}" in head
    assert "User-Agent: shop-hub/" in head
    assert "sdk/1" not in head
    assert "X-Own: 1" in head
    assert "Content-Type: application/json" in head
    assert server.bodies == [b'{"a":1}']


async def test_every_verb_sends_what_it_is_given(out):
    async with Server(plain()) as server:
        way = client(out, server, path="/base")
        await way.get("/a", params={"q": "x y"})
        await way.post("/b", data=b"k=v", headers={"Content-Type": "text/x"})
        await way.put("/c", json=[1])
        await way.patch("/d", json={"n": None})
        await way.delete("/e")
    lines = [head.split(" HTTP")[0] for head in server.heads]
    paths = ["GET /base/a?q=x+y", "POST /base/b", "PUT /base/c", "PATCH /base/d", "DELETE /base/e"]
    assert lines == paths
    assert server.bodies == [b"", b"k=v", b"[1]", b'{"n":null}', b""]


async def test_no_proxy_of_the_environment_is_used(out, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Server(plain()) as server:
        await client(out, server).get("/")
    assert len(server.heads) == 1


async def test_no_cookie_is_kept(out, monkeypatch):
    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET,
                 "proto": 0, "flags": 0}]  # fmt: skip

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)  # addresses get no cookies anyhow
    async with Server(plain(200, b"{}", "Set-Cookie: a=b; Path=/")) as server:
        way = client(out, f"http://shop.example:{server.port}")
        await way.get("/")
        await way.get("/")
    assert len(server.heads) == 2
    assert not any("Cookie" in head for head in server.heads)


async def test_a_large_body_is_sent_whole(out):
    body = b"x" * (3 << 20)
    async with Server(plain()) as server:
        await client(out, server).post("/", data=body)
    assert server.bodies == [body]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://elsewhere.example/x"])
async def test_another_host_gets_neither_a_call_nor_the_credential(out, url):
    async with Server(plain()) as server:
        way = client(out, server)
        assert isinstance(await outcome(way.get(url)), Reject)
        with pytest.raises(Reject):
            await (await way.request("GET", url)).content.read()
    assert server.connects == 0


async def test_a_pooled_connection_is_not_lent_to_a_connector_with_a_stricter_list(out):
    async with Server(plain()) as server:
        assert await outcome(client(out, server).get("/")) is None
        strict = client(out, server, allow_private=())
        assert isinstance(await outcome(strict.get("/")), Reject)
    assert len(server.heads) == 1


async def test_connections_are_pooled_and_closed_in_the_end():
    async with Server(plain()) as server:
        async with Outbound(SystemClock()) as out:
            way = client(out, server)
            for _ in range(5):
                await way.get("/")
            assert server.connects == 1
        with pytest.raises(HubError, match="closed"):
            await way.get("/")


async def test_who_still_holds_a_closed_client_opens_no_connection(out):
    async with Server(plain()) as server:
        way = client(out, server)
        await out.drop(way)
        with pytest.raises(HubError, match="closed"):
            await way.get("/")
        assert server.connects == 0


# -- network failures ----------------------------------------------------------------------------
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_refused_connection_is_tried_again(out):
    way = attempt(out, f"http://127.0.0.1:{free_port()}")
    error = await outcome(way.post("/", json={}))
    assert isinstance(error, Retry)
    assert not way.wrote


async def test_a_name_that_is_not_found_is_tried_again(out, monkeypatch):
    async def resolve(self, host, port=0, family=0):
        raise OSError(None, "no such name")

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    error = await outcome(client(out, "https://nowhere.example").get("/"))
    assert isinstance(error, Retry)
    assert "the name is not found" in str(error)


async def test_a_connect_that_takes_too_long_is_tried_again(out):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]  # fills the backlog
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        way = attempt(out, f"http://127.0.0.1:{port}", connect_timeout=0.2)
        async with asyncio.timeout(2):
            error = await outcome(way.post("/", json={}))
        for one in waiting:
            one.close()
    assert isinstance(error, Retry)
    assert not way.wrote


async def test_a_tls_handshake_that_hangs_is_tried_again(out):
    async with Silent(hang) as server:
        url = f"https://127.0.0.1:{server.port}"
        way = attempt(out, url, connect_timeout=0.2)
        async with asyncio.timeout(2):
            error = await outcome(way.post("/", json={}))
    assert isinstance(error, Retry)
    assert server.connects == 1
    assert not way.wrote


def certificate(tmp_path):
    """Make a server's self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


async def test_an_untrusted_certificate_stops_the_call_before_any_byte(out, tmp_path):
    path, context = certificate(tmp_path)
    async with Server(plain(), tls=context) as server:
        error = await outcome(client(out, server).post("/", json={}))
        assert isinstance(error, Retry)
        assert "certificate" in str(error)
        assert server.heads == []
        trusting = ssl.create_default_context(cafile=path)
        async with Outbound(SystemClock(), tls=trusting) as trusted:
            assert await outcome(client(trusted, server).post("/", json={})) is None


LOST = {
    "reset": reset,
    "closed without an answer": close,
    "closed in the head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closed in the body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"),
    "closed in a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "broken gzip": raw(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345"
    ),
    "endless head": raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("verb", ["post", "put"])
async def test_an_answer_lost_after_bytes_left_is_ambiguous_and_never_sent_twice(out, name, verb):
    async with Server(LOST[name]) as server:
        way = attempt(out, server)
        error = await outcome(getattr(way, verb)("/", json={"a": 1}))
    assert isinstance(error, Ambiguous)
    assert not error.final
    assert way.wrote
    assert len(server.heads) == 1


async def test_a_hang_is_ambiguous_once_the_time_is_over(out):
    async with Server(hang) as server:
        error = await outcome(client(out, server, total_timeout=0.2).post("/", json={}))
    assert isinstance(error, Ambiguous)
    assert "out of time" in str(error)


async def test_a_hang_in_the_body_is_ambiguous_too(out):
    async def half(head, body, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        await asyncio.sleep(3600)

    async with Server(half) as server:
        error = await outcome(client(out, server, total_timeout=0.2).post("/", json={}))
    assert isinstance(error, Ambiguous)


@pytest.mark.parametrize("verb", ["put", "delete", "get"])
async def test_a_pooled_connection_closed_under_a_write_is_not_silently_tried_again(out, verb):
    """aiohttp would send PUT, DELETE and GET a second time by itself."""
    served = []

    async def once(head, body, writer):
        if not served:
            served.append(head)
            return await plain()(head, body, writer)
        writer.transport.abort()
        return False

    async with Server(once) as server:
        way = attempt(out, server)
        assert await outcome(way.get("/")) is None
        error = await outcome(getattr(way, verb)("/"))
    assert isinstance(error, Ambiguous)
    assert len(server.heads) == 2
    assert server.connects == 1


def test_connections_are_reused_for_less_than_servers_keep_them():
    assert REUSE < 5  # Node's default; nginx and load balancers keep them for a minute and more


# -- size ----------------------------------------------------------------------------------------
async def test_an_answer_up_to_the_cap_is_read_whole(out):
    async with Server(plain(200, b"x" * CAP)) as server:
        answer = await client(out, server).get("/")
    assert len(answer.body) == CAP


async def test_an_answer_over_the_cap_is_ambiguous(out):
    async with Server(plain(200, b"x" * (CAP + 1))) as server:
        assert isinstance(await outcome(client(out, server).get("/")), Ambiguous)


async def test_an_endless_answer_is_ambiguous_before_the_time_is_over(out):
    async with Server(endless) as server:
        error = await outcome(client(out, server).get("/"))
    assert isinstance(error, Ambiguous)
    assert "over 5 MiB" in str(error)


async def test_a_compression_bomb_costs_little_memory(out):
    bomb = gzip.compress(b"\0" * (128 << 20), compresslevel=1)
    async with Server(plain(200, bomb, "Content-Encoding: gzip")) as server:
        way = client(out, server)
        tracemalloc.start()
        error = await outcome(way.get("/"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(error, Ambiguous)
    assert peak < 20 << 20


async def test_a_compressed_answer_is_unpacked(out):
    packed = gzip.compress(b'{"id": "1"}')
    async with Server(plain(200, packed, "Content-Encoding: gzip")) as server:
        assert (await client(out, server).get("/")).json() == {"id": "1"}


# -- what an answer means ------------------------------------------------------------------------
ANSWERS = [
    # status, headers, body, error, after
    (200, (), b"{}", None, None),
    (204, (), b"", None, None),
    (301, ("Location: http://127.0.0.1:1/",), b"", Reject, None),
    (307, ("Location: /again",), b"", Reject, None),
    (400, (), b'{"message": "no"}', Reject, None),
    (400, ("Content-Type: text/html",), b"<html>", Ambiguous, None),  # not the API's word
    (401, (), b"", AuthFailed, None),
    (402, (), b"{}", Reject, None),
    (403, ("Content-Type: text/html",), b"<html>", AuthFailed, None),
    (404, (), b"{}", Reject, None),
    (405, (), b"", Reject, None),
    (408, (), b"", Ambiguous, None),
    (409, (), b"{}", Retry, None),  # the connector's own row
    (410, (), b"", Reject, None),
    (413, (), b"", Reject, None),
    (422, (), b"{}", Reject, None),
    (425, (), b"", Retry, None),
    (429, (), b"", RateLimited, None),
    (429, ("Retry-After: 7",), b"", RateLimited, 7),
    (429, ("Retry-After: 99999999",), b"", RateLimited, 86400),
    (429, ("Retry-After: soon",), b"", RateLimited, None),
    (500, (), b"", Ambiguous, None),
    (500, ("Retry-After: 3",), b"", Ambiguous, 3),
    (502, ("Content-Type: text/html",), b"<html>", Ambiguous, None),
    (503, (), b"", Ambiguous, None),
    (503, ("Retry-After: 1.5",), b"", RateLimited, 1.5),
    (503, ("Retry-After: Thu, 01 Jan 2026 00:01:00 GMT",), b"", RateLimited, 60),
    (503, ("Retry-After: Wed, 31 Dec 2025 00:00:00 GMT",), b"", RateLimited, 0),
    (503, ("Retry-After: ",), b"", Ambiguous, None),
    (504, (), b"", Ambiguous, None),
    (520, (), b"", Ambiguous, None),
]


@pytest.mark.parametrize(("status", "headers", "body", "kind", "after"), ANSWERS)
async def test_a_status_means_one_thing(status, headers, body, kind, after):
    async with Outbound(ManualClock()) as out, Server(plain(status, body, *headers)) as server:
        error = await outcome(client(out, server).post("/", json={}))
    assert type(error) is (kind or type(None))
    if after is not None or kind is RateLimited:
        assert error.after == after
    assert len(server.heads) == 1


async def test_the_connector_s_own_reading_comes_first(out):
    async with Server(plain(400, b'{"code": "expired"}')) as server:
        error = await outcome(client(out, server).post("/", json={}))
    assert isinstance(error, Ambiguous)
    assert error.final


async def test_a_success_that_is_no_json_is_ambiguous(out):
    async with Server(plain(200, b"<html>")) as server:
        answer = await client(out, server).get("/")
    with pytest.raises(Ambiguous):
        answer.json()


async def test_field_errors_are_the_provider_s_own(out):
    body = b'{"errors": [{"field": "email", "message": "is taken"}]}'
    async with Server(plain(422, body)) as server:
        error = await outcome(client(out, server).post("/", json={}))
    assert error.errors == {"email": "is taken"}
    assert str(error) == "shop24 answered 422: is taken"


# -- an attempt ----------------------------------------------------------------------------------
async def test_an_attempt_notes_what_it_saw(out):
    async with Server(plain(201, b"{}", "X-Request: req_1")) as server:
        way = attempt(out, server)
        assert (way.status, way.request_id, way.body_hash, way.wrote) == (None, None, None, False)
        await way.get("/")
        assert (way.status, way.request_id, way.body_hash, way.wrote) == (201, "req_1", None, False)
        await way.post("/", json={"a": 1})
        await way.post("/", json={"b": 2})
    assert way.body_hash == hashlib.sha256(b'{"a":1}').digest()
    assert way.wrote


async def test_another_body_than_the_first_attempt_s_is_not_sent(out):
    async with Server(plain()) as server:
        first = hashlib.sha256(b'{"a":1}').digest()
        assert (
            await outcome(attempt(out, server, expected_hash=first).post("/", json={"a": 1}))
            is None
        )
        error = await outcome(attempt(out, server, expected_hash=first).post("/", json={"a": 2}))
    assert isinstance(error, Ambiguous)
    assert error.final
    assert server.bodies == [b'{"a":1}']


@pytest.mark.parametrize(
    ("status", "wrote"), [(400, False), (401, False), (429, False), (500, True)]
)
async def test_a_refused_write_is_no_write(out, status, wrote):
    async with Server(plain(status)) as server:
        way = attempt(out, server)
        await outcome(way.post("/", json={}))
    assert way.wrote is wrote


async def test_a_read_is_no_write_even_when_it_is_lost(out):
    async with Server(close) as server:
        way = attempt(out, server)
        assert isinstance(await outcome(way.get("/")), Ambiguous)
    assert not way.wrote


async def test_nothing_is_sent_past_the_deadline():
    async with Outbound(clock := ManualClock()) as out, Server(plain()) as server:
        way = attempt(out, server, seconds=10)
        clock.advance(10)
        error = await outcome(way.post("/", json={}))
    assert isinstance(error, Retry)
    assert server.connects == 0


async def test_the_action_s_own_timeout_bounds_the_attempt(out):
    async with Server(hang) as server:
        error = await outcome(attempt(out, server, timeout=0.2).post("/", json={}))
    assert isinstance(error, Ambiguous)


async def test_its_route_s_time_for_a_call_stands_in_for_the_connector_s(out):
    async with Server(hang) as server:
        deadline = out.clock.now() + timedelta(seconds=5)
        way = client(out, server).attempt(deadline=deadline, timeouts=(0.1, 0.2))
        error = await outcome(way.post("/", json={}))
        longer = client(out, server, total_timeout=0.1).attempt(
            deadline=deadline, timeouts=(0.1, 0.3)
        )
        begin = time.monotonic()
        await outcome(longer.post("/", json={}))
    assert isinstance(error, Ambiguous)
    assert time.monotonic() - begin >= 0.3


# -- silence -------------------------------------------------------------------------------------
ECHOES = [
    plain(400, f'{{"message": "bad key {KEY} of {PERSON}, call +49 170 1234567"}}'.encode()),
    plain(
        401, f'{{"error": {{"message": "Invalid API Key: {KEY}", "param": "{PERSON}"}}}}'.encode()
    ),
    plain(500, KEY.encode(), "Content-Type: text/plain"),
    plain(429, f'{{"code": "{KEY}"}}'.encode()),
    reset,
    raw(f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
    raw(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()),
]


@pytest.mark.parametrize("play", ECHOES)
async def test_no_secret_query_or_person_stands_in_an_error_or_its_traceback(out, play):
    async with Server(play) as server:
        way = client(out, server)
        path, params = "/customers", {"q": "canary-query", "email": PERSON}
        try:
            await way.post(path, json={"canary-body": 1}, params=params)
        except CallError as error:
            told = "".join(traceback.format_exception(error)) + repr(vars(error))
    for word in (KEY, "canary-query", PERSON, "canary-body", "170 1234567", "Bearer"):
        assert word not in told.replace('json={"canary-body": 1}', "")


def test_a_client_prints_no_secret(out):
    way = client(out, "https://api.example.com")
    assert KEY not in repr(way) + repr(vars(way)) + repr(way.connector.settings)


# -- under Stripe's SDK --------------------------------------------------------------------------
def sdk(way, url):
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        "sk_placeholder",
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.AIOHTTPClient(timeout=None, session=way),
    )


async def refund(way, url):
    params = {"payment_intent": "pi_1", "metadata": {"hub_job": "job_1"}}
    return await sdk(way, url).v1.refunds.create_async(params, {"idempotency_key": "k1"})


async def test_stripe_s_sdk_calls_through_us(out):
    async with Server(plain(200, b'{"id": "re_1", "object": "refund"}', "X-Request: r1")) as server:
        way = attempt(out, server)
        made = await refund(way, server.url)
    assert made.id == "re_1"
    assert f"Authorization: Bearer {KEY}" in server.heads[0]
    assert "sk_placeholder" not in server.heads[0]
    assert "Idempotency-Key: k1" in server.heads[0]
    assert b"metadata[hub_job]=job_1" in server.bodies[0]
    assert (way.status, way.request_id, way.wrote) == (200, "r1", True)
    assert way.body_hash == hashlib.sha256(server.bodies[0]).digest()


SDK_ERRORS = [
    (plain(402, b'{"error": {"message": "declined", "param": "card"}}'), Reject),
    (plain(401, b"{}"), AuthFailed),
    (plain(429, b"{}"), RateLimited),
    (plain(500, b"{}"), Ambiguous),
    (close, Ambiguous),
]


@pytest.mark.parametrize(("play", "kind"), SDK_ERRORS)
async def test_our_errors_pass_through_stripe_s_sdk_unchanged(out, play, kind):
    async with Server(play) as server:
        error = await outcome(refund(attempt(out, server), server.url))
    assert type(error) is kind
    assert len(server.heads) == 1


async def test_a_refused_connection_passes_through_stripe_s_sdk_as_retry(out):
    url = f"http://127.0.0.1:{free_port()}"
    assert isinstance(await outcome(refund(attempt(out, url), url)), Retry)


async def test_request_never_raises_but_its_answer_does(out):
    way = client(out, f"http://127.0.0.1:{free_port()}")
    answer = await way.request("get", "/x", headers=None, timeout=80)
    assert answer.status == 0
    with pytest.raises(Retry):
        await answer.content.read()
