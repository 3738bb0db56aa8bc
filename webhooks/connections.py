"""Connections of the hub's server: a whole head in time, only so many at once, none cut at the end.

aiohttp gives a first request head all the time in the world, and takes any number of connections.
The names used of it below are private; tests/webhooks/test_slow.py sees a change of them.
Source: aiohttp 3.14.5, web_protocol.py and web_server.py.
"""

import asyncio
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

HEAD_WITHIN = 10.0
MOST = 1000
QUEUE = 128  # connections the system holds until they are taken
LINGER = 1.0
LOOK_EVERY = 0.01


class GuardedServer(web.Server):
    """Makes connections that are dropped where their first head does not come.

    At its limit it drops the connection that has waited longest for its head, so that slow
    callers cannot lock out others; where none waits, the newcomer.
    """

    def __init__(self, *given: Any, head_within: float, most: int, **more: Any) -> None:
        super().__init__(*given, **more)
        self.head_within, self.most = head_within, most
        self.waiting: dict[Guarded, None] = {}

    def __call__(self) -> "Guarded":
        """Make what speaks on one connection."""
        return Guarded(self, loop=self._loop, **self._kwargs)

    def make_room(self) -> None:
        """Drop one connection where there are too many."""
        if len(self._connections) > self.most:
            next(iter(self.waiting)).drop()


class Guarded(RequestHandler):
    """A connection that must bring a whole first head in time; later ones have the keep-alive."""

    __slots__ = ("_head_timer", "_server")

    def __init__(self, server: GuardedServer, **given: Any) -> None:
        super().__init__(server, **given)
        self._server = server
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._server.waiting[self] = None
        self._head_timer = self._loop.call_later(self._server.head_within, self.drop)
        self._server.make_room()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once a whole head is there."""
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self._came()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP without a word: aiohttp would log, and say, what was sent."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        answer = web.Response(status=status)
        answer.force_close()
        return answer

    def drop(self) -> None:
        """Cut the connection off, saying nothing."""
        self._came()
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._came()
        super().connection_lost(exc)

    def _came(self) -> None:
        self._server.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()


class GuardedRunner(web.AppRunner):
    """An AppRunner whose connections are guarded, and which goes away without cutting one.

    Args:
        head_within: Seconds for the first head of a connection.
        most: So many connections at once.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        head_within: float = HEAD_WITHIN,
        most: int = MOST,
        **given: Any,
    ) -> None:
        super().__init__(app, **given)
        self._head_within, self._most = head_within, most
        self._door: asyncio.Server | None = None
        self._leaving = False
        app.on_response_prepare.append(self._say_close)

    async def open(self, host: str, port: int, *, shared: bool = False) -> None:
        """Listen; where `shared`, beside every other process that listens so.

        Raises:
            OSError: The address is taken, or none of ours.
        """
        if self.server is None:
            raise RuntimeError("set it up first")
        self._door = await asyncio.get_running_loop().create_server(
            self.server, host, port, backlog=QUEUE, reuse_port=shared or None
        )

    def leave(self) -> None:
        """Ask every client, with its next answer, to open a new connection for what comes after."""
        self._leaving = True

    async def cleanup(self) -> None:
        """Listen no more and answer what was sent by then, then close what is idle."""
        self.leave()
        await self._shut()
        await super().cleanup()

    async def _shut(self) -> None:
        """Shut the door behind those who stand in it, and wait a moment for them to be done.

        A connection the system has taken and we have not would be reset with the listening socket.
        """
        if self._door is None or self.server is None:
            return
        inside = list(_waiting(self._door.sockets))
        self._door.close()
        for taken in inside:
            await asyncio.get_running_loop().connect_accepted_socket(self.server, taken)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while self.server.connections:  # noqa: ASYNC110 -- aiohttp tells nobody
                    await asyncio.sleep(LOOK_EVERY)

    async def _say_close(self, _: web.Request, answer: web.StreamResponse) -> None:
        if self._leaving:
            answer.headers["Connection"] = "close"
            answer.force_close()

    async def _make_server(self) -> web.Server:
        """Make aiohttp's server, then ours with all it was made of."""
        made = await super()._make_server()
        return GuardedServer(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001 -- it is taken over whole
            head_within=self._head_within,
            most=self._most,
            **made._kwargs,  # noqa: SLF001 -- likewise
        )


def _waiting(doors: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """Take the connections that the system holds for a listening socket."""
    for door in doors:
        with socket.socket(fileno=os.dup(door.fileno())) as listening:
            listening.setblocking(False)
            with suppress(BlockingIOError, ConnectionAbortedError):
                while True:
                    taken, _ = listening.accept()
                    taken.setblocking(False)
                    yield taken
