"""S5, S6, S8, S9: what a request may cost, in bytes, time and depth, and whose refusal it is."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from io import BytesIO

import pytest
from aiohttp import web

from hub.model import MAX_NODES
from tests.webhooks.conftest import body
from webhooks import guard

MIB = 1 << 20


@pytest.fixture
def store_url(tmp_path) -> str:
    """No store differs here."""
    return f"sqlite:///{tmp_path}/hub.db"


# -- size and coding -------------------------------------------------------------------------------
@pytest.mark.parametrize("chunked", [False, True])
async def test_s5_2_mib_are_refused_and_little_is_held(bench, chunked) -> None:
    async def pieces():
        for _ in range(32):
            yield b"x" * (64 << 10)

    raw = b"x" * (2 * MIB)
    url = f"{bench.url}/webhooks/toy"
    sent = bench.signed(raw)
    tracemalloc.start()
    try:
        async with bench.http.post(
            url, data=pieces() if chunked else BytesIO(raw), headers=sent
        ) as answer:
            assert answer.status == 413
        assert tracemalloc.get_traced_memory()[1] < 5 * MIB
    finally:
        tracemalloc.stop()


def packed(size: int, *, wbits: int = zlib.MAX_WBITS | 16) -> bytes:
    """Pack so many zeros, without ever holding them."""
    made = zlib.compressobj(9, wbits=wbits)
    return b"".join(made.compress(bytes(MIB)) for _ in range(size // MIB)) + made.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_s6_200_mib_unpacked_hold_little_more_than_the_cap(coding) -> None:
    wbits = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}[coding]
    bomb = packed(200 * MIB, wbits=wbits)
    assert len(bomb) < MIB
    tracemalloc.start()
    try:
        with pytest.raises(web.HTTPRequestEntityTooLarge):
            guard.unpack(bomb, coding, cap=MIB)
        assert tracemalloc.get_traced_memory()[1] < 5 * MIB
    finally:
        tracemalloc.stop()


async def test_s6_a_signed_bomb_is_too_large(bench) -> None:
    bomb = packed(8 * MIB)
    assert len(bomb) < 10_000  # the bench's cap
    headers = bench.signed(bomb) | {"Content-Encoding": "gzip"}
    assert await bench.post(bomb, headers) == 413
    assert await bench.post(bomb, {"Content-Encoding": "gzip"}) == 401  # not signed: not unpacked
    assert (await bench.stored())[0] == 0


@pytest.mark.parametrize("coding", ["br", "zstd", "zzz", "gzip, gzip", "gzip,identity", "x-gzip"])
async def test_s6_a_coding_we_do_not_know_is_refused_before_all_else(bench, coding) -> None:
    raw = gzip.compress(body("e1"))
    assert await bench.post(raw, bench.signed(raw) | {"Content-Encoding": coding}) == 415
    assert await bench.post(raw, {"Content-Encoding": coding}) == 415


@pytest.mark.parametrize("cut", [1, 4, 8, 20])
async def test_s6_a_cut_or_lengthened_gzip_is_bad(bench, cut) -> None:
    whole = gzip.compress(body("e1"), mtime=0)
    for raw in (whole[:-cut], whole + b"x" * cut, whole + whole):
        assert await bench.post(raw, bench.signed(raw) | {"Content-Encoding": "gzip"}) == 400
    assert (await bench.stored())[0] == 0


def test_s6_no_module_reads_a_stream_that_has_no_bound() -> None:
    """`request.content` is bounded by nothing: bodies are read by webhooks.guard and hub.api."""
    from tests.shape.test_code import ROOT  # noqa: PLC0415

    files = [*(ROOT / "hub/api").rglob("*.py"), *(ROOT / "webhooks").rglob("*.py")]
    assert files
    for file in files:
        text = file.read_text("utf-8")
        assert "request.content." not in text, file
        assert "asked.content." not in text, file


# -- heads -----------------------------------------------------------------------------------------
HEADS = {
    "200 headers": "".join(f"X-{n}: 1\r\n" for n in range(200)),
    "a header of 9 kB": f"X-Long: {'x' * 9000}\r\n",
    "both lengths": "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": "Content-Length: 2\r\nContent-Length: 3\r\n",
    "a length that is none": "Content-Length: +2\r\n",
    "a name with a blank": "X Y: 1\r\n",
    "a NUL": "X-Y: a\0b\r\n",
}


@pytest.mark.parametrize("what", HEADS)
async def test_s8_a_flood_of_headers_or_a_smuggled_length_is_bad(bench, what, caplog) -> None:
    host, port = bench.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /webhooks/toy HTTP/1.1\r\nHost: x\r\n{HEADS[what]}\r\n"
    writer.write(head.encode() + b"2\r\n{}\r\n0\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    assert not caplog.records  # it would be the sender's words
    assert (await bench.stored())[0] == 0


# -- depth -----------------------------------------------------------------------------------------
DEEP = {
    "65 levels": b"[" * 65 + b"]" * 65,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "never closed": b'{"a":' * 100_000,
    "an open text": b'"' + b"[" * 100_000,
    "many values": json.dumps({"events": [0] * MAX_NODES}).encode(),
    "many keys": json.dumps({f"k{n}": 0 for n in range(MAX_NODES)}).encode(),
}


@pytest.mark.parametrize("what", DEEP)
async def test_s9_a_signed_body_too_deep_or_too_much_is_a_dead_job(bench, what) -> None:
    bench.limit(2 * MIB)
    assert await bench.post(DEEP[what]) == 200
    inbox, events, jobs = await bench.stored()
    assert (inbox, events, [job["state"] for job in jobs]) == (1, 0, ["dead"])


async def test_s9_as_many_values_as_may_be_are_read(bench) -> None:
    bench.limit(2 * MIB)
    item = {"id": "e1", "type": "thing.made", "at": 1_700_000_000}
    many = {"events": [item], "more": [0] * (MAX_NODES - 7)}
    assert await bench.post(json.dumps(many).encode()) == 200
    assert (await bench.stored())[1] == 1


# -- whose it is -----------------------------------------------------------------------------------
INSIDE = [guard.ip_network("10.0.0.0/8"), guard.ip_network("fd00::/8")]
CALLERS = [
    # who connects, what is forwarded, whose allowance it is
    ("203.0.113.1", [], "203.0.113.1"),
    ("203.0.113.1", ["198.51.100.7"], "203.0.113.1"),  # a stranger says what it likes
    ("10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),  # what the caller itself put there
    ("10.0.0.1", ["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["1.2.3.4, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),  # two proxies
    ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
    ("10.0.0.1", ["junk"], "10.0.0.1"),
    ("10.0.0.1", ["198.51.100.7, junk"], "10.0.0.1"),
    ("10.0.0.1", [" , "], "10.0.0.1"),
    ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
    ("2001:db8:1:2::9", [], "2001:db8:1:2::/64"),
    ("::ffff:203.0.113.1", [], "203.0.113.1"),
    ("", [], ""),
]


@pytest.mark.parametrize(("peer", "forwarded", "whose"), CALLERS)
def test_a_refusal_is_charged_to_who_cannot_deny_it(peer, forwarded, whose) -> None:
    assert guard.caller(peer, forwarded, INSIDE) == whose
