"""A provider that means harm: whatever it answers, the call ends in time and costs no memory."""

import asyncio
import tracemalloc
import zlib
from datetime import timedelta

import pytest

from hub import Ambiguous, CallError, Connector, ConnectorSettings, Reject, SystemClock
from hub.http import Outbound

TIMEOUT = 2.0
MOST_MEMORY = 20 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Toy(Connector):
    type = "toy"
    Settings = ConnectorSettings


class Hostile:
    """A server on 127.0.0.1 that answers each request by `play(writer)`."""

    def __init__(self, play):
        self.play, self.requests = play, 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.tasks = set()
        return self

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await self.play(self, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def endless_body(server, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


async def dripping_body(server, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_head(server, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
        await writer.drain()


def gibibyte():
    """Pack 1 GiB of zeros: one mebibyte, its blocks said over again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * 1023


async def gzip_bomb(server, writer):
    packed = gibibyte()
    length = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    writer.write(HEAD + length.encode() + packed)
    await writer.drain()


async def redirects(server, writer):
    where = f"Location: {server.url}/{server.requests}\r\nContent-Length: 0\r\n\r\n"
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\n" + where.encode())
    await writer.drain()


ATTACKS = [endless_body, dripping_body, endless_head, gzip_bomb, redirects]


async def attacked(play, url=None):
    """Make one attempt, of which a test that hangs tells the end; give error, memory, server."""
    async with Hostile(play) as server, Outbound(SystemClock()) as out:
        settings = ConnectorSettings(base_url=url or server.url)
        way = out.client(Toy, settings, name="toy", allow_private=["127.0.0.0/8"])
        attempt = way.attempt(deadline=out.clock.now() + timedelta(seconds=60), timeout=TIMEOUT)
        tracemalloc.start()
        try:
            await attempt.post("/x", json={})
        except CallError as error:
            _, peak = tracemalloc.get_traced_memory()
            return error, peak, server
        finally:
            tracemalloc.stop()
    raise AssertionError("it succeeded")


@pytest.mark.parametrize("play", ATTACKS)
async def test_the_call_ends_and_costs_little_memory(play):
    error, peak, server = await attacked(play)
    assert isinstance(error, Reject if play is redirects else Ambiguous)
    assert peak < MOST_MEMORY
    assert server.requests == 1


async def test_ten_thousand_redirects_lead_nowhere():
    """A chain that would go on for ever is not begun: no second request, nothing inside."""

    async def inside(server, writer):
        raise AssertionError("reached")

    async with Hostile(inside) as canary:

        async def to_the_canary(server, writer):
            for_good = 301 + server.requests % 2
            where = f"HTTP/1.1 {for_good} Moved\r\nLocation: {canary.url}/secret\r\n"
            writer.write(where.encode() + b"Content-Length: 0\r\n\r\n")
            await writer.drain()

        for code in (redirects, to_the_canary):
            error, *_, server = await attacked(code)
            assert isinstance(error, Reject)
            assert "redirects are not followed" in str(error)
            assert server.requests == 1
    assert canary.requests == 0
