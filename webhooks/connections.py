"""Connections of the hub's server: a whole head in time, and only so many at once.

aiohttp gives a first request head all the time in the world, and takes any number of connections.
The names used of it below are private; tests/webhooks/test_slow.py sees a change of them.
Source: aiohttp 3.14.5, web_protocol.py and web_server.py.
"""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

HEAD_WITHIN = 10.0
MOST = 1000


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
    """An AppRunner whose connections are guarded.

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
