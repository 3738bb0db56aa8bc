"""A server that goes away cuts nobody off who had reached it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from aiohttp import web

from webhooks.connections import GuardedRunner

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(port: int = 0, *, shared: bool = True) -> AsyncIterator[GuardedRunner]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner = GuardedRunner(app, shutdown_timeout=1, keepalive_timeout=15)
    await runner.setup()
    try:
        await runner.open("127.0.0.1", port, shared=shared)
        yield runner
    finally:
        await runner.cleanup()


def port_of(runner: GuardedRunner) -> int:
    assert runner._door is not None
    return int(runner._door.sockets[0].getsockname()[1])


def connected(runner: GuardedRunner) -> socket.socket:
    """Connect as far as the system does it; the server's loop has not run meanwhile."""
    made = socket.create_connection(("127.0.0.1", port_of(runner)), timeout=5)
    made.setblocking(False)
    return made


async def heard(made: socket.socket) -> bytes:
    """Read to the end of the connection."""
    found = b""
    while more := await asyncio.get_running_loop().sock_recv(made, 4096):
        found += more
    return found


async def test_who_stands_in_the_door_is_answered() -> None:
    async with serving() as runner:
        with closing(connected(runner)) as early, closing(connected(runner)) as late:
            early.send(ASK)
            going = asyncio.create_task(runner.cleanup())
            while runner._door is None or runner._door.sockets:
                await asyncio.sleep(0)
            late.send(ASK)  # after the door was shut: it was inside by then
            for one in (early, late):
                answer = await heard(one)
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert b"connection: close\r\n" in answer.lower()
            await going


async def test_a_kept_connection_is_answered_once_more_and_told_to_close() -> None:
    async with serving() as runner:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(runner))
        writer.write(ASK)
        first = await reader.readuntil(b"here")
        assert b"connection: close" not in first.lower()
        runner.leave()
        writer.write(ASK)
        assert b"connection: close\r\n" in (await reader.read()).lower()
        writer.close()


async def test_two_may_share_an_address_where_both_say_so() -> None:
    async with serving() as one:
        async with serving(port_of(one)) as other:
            assert port_of(one) == port_of(other)
        with pytest.raises(OSError, match="in use"):
            async with serving(port_of(one), shared=False):
                pass
