"""A TCP proxy that plays a bad network, in the words of Shopify's toxiproxy, and two more.

Toxics may be set and cleared while connections are open; each holds for one direction:
`downstream` is towards the caller. Times are seconds.

Source: https://github.com/Shopify/toxiproxy, README, "Toxics" (read 2026-11).
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Self

from sqlalchemy.engine import URL

CHUNK = 64 << 10
Stream = Literal["upstream", "downstream"]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True, kw_only=True)
class Toxic:
    """One fault of the network.

    latency      each piece comes `seconds` later
    bandwidth    at most `rate` bytes in a second
    slow_close   the end of a stream is told `seconds` later
    timeout      nothing passes; after `seconds` the connection is closed
    slicer       pieces of `size` bytes, `seconds` apart
    limit_data   closed after `size` bytes of a connection
    reset_peer   reset `seconds` after it was made
    half_open    nothing passes, and nobody is ever told
    lost_answer  the request passes, and is acted on; where the answer comes, the caller is reset

    Args:
        asked: `lost_answer` waits for the answer to these bytes.
        times: How many connections it ends; None means all.
    """

    kind: Literal[
        "latency", "bandwidth", "slow_close", "timeout", "slicer", "limit_data", "reset_peer",
        "half_open", "lost_answer",
    ]  # fmt: skip
    stream: Stream = "downstream"
    seconds: float = 0.0
    rate: int = 0
    size: int = 0
    asked: bytes = b""
    times: int | None = None
    played: int = 0


class Reset(Exception):
    """The connection is to be reset, as a host that lost its state does."""


class Closed(Exception):
    """The connection is to be closed at once."""


@dataclass(slots=True)
class Link:
    """One connection through the proxy."""

    caller: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[str, int] = field(default_factory=lambda: {"upstream": 0, "downstream": 0})
    asked: bytes = b""

    def end(self, *, reset: bool) -> None:
        for writer in (self.caller, self.server):
            sock = writer.get_extra_info("socket")
            if reset and sock is not None and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort() if reset else writer.close()


class Proxy:
    """Listens on loopback and passes everything on to one server, as its toxics let it."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self.toxics: list[Toxic] = []
        self.links: set[Link] = set()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def to(cls, host: str, port: int) -> Self:
        """Make one in front of a TCP server."""
        return cls(lambda: asyncio.open_connection(host, port))

    @classmethod
    def to_store(cls, url: URL) -> Self:
        """Make one in front of a PostgreSQL server, wherever it listens."""
        place, port = url.query.get("host"), url.port or 5432
        if isinstance(place, str) and place.startswith("/"):
            return cls(lambda: asyncio.open_unix_connection(f"{place}/.s.PGSQL.{port}"))
        return cls.to(url.host or "127.0.0.1", port)

    def instead(self, url: URL) -> URL:
        """Give the URL that leads through this proxy."""
        rest = {name: value for name, value in url.query.items() if name != "host"}
        return url.set(host="127.0.0.1", port=self.port, query=rest)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Listen: at the first free port, and from then on at that one."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def listens(self) -> bool:
        return self._server.is_serving()

    async def down(self) -> None:
        """Refuse connections and reset those there are."""
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set(self, kind: str, **how: object) -> Toxic:
        """Play a toxic from now on."""
        made = Toxic(kind=kind, **how)  # type: ignore[arg-type]
        self.toxics.append(made)
        return made

    # -- inside ------------------------------------------------------------------------------------
    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, far_writer)
        reset = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(link, reader, far_writer, "upstream"))
                group.create_task(self._pass(link, far_reader, writer, "downstream"))
                group.create_task(self._expire(link))
        except* Closed:
            reset = False
        except* (Reset, ConnectionError):
            pass
        finally:
            link.end(reset=reset)

    async def _expire(self, link: Link) -> None:
        """Reset where a toxic says so, however quiet the connection is."""
        for toxic in self._of("downstream", "reset_peer"):
            await asyncio.sleep(toxic.seconds)
            self._played(toxic)
            raise Reset

    async def _pass(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
    ) -> None:
        while piece := await reader.read(CHUNK):
            if stream == "upstream":
                link.asked = (link.asked + piece)[-CHUNK:]
            await self._gate(link, stream)
            for part, pause in self._parts(link, piece, stream):
                writer.write(part)
                await writer.drain()
                link.passed[stream] += len(part)
                await asyncio.sleep(pause)
            if stream == "downstream":
                link.asked = b""  # answered
            for toxic in self._of(stream, "limit_data"):
                if link.passed[stream] >= toxic.size:
                    raise Closed
        for toxic in self._of(stream, "slow_close"):
            await asyncio.sleep(toxic.seconds)
        raise Closed

    async def _gate(self, link: Link, stream: Stream) -> None:
        """Hold a piece up, or let it never pass."""
        for toxic in self._of(stream):
            if toxic.kind == "latency":
                await asyncio.sleep(toxic.seconds)
            elif toxic.kind in ("timeout", "half_open"):
                self._played(toxic)
                await asyncio.sleep(3600 if toxic.kind == "half_open" else toxic.seconds)
                raise Closed
            elif toxic.kind == "lost_answer" and toxic.asked in link.asked:
                self._played(toxic)
                raise Reset

    def _parts(self, link: Link, piece: bytes, stream: Stream) -> list[tuple[bytes, float]]:
        parts = [(piece, 0.0)]
        for toxic in self._of(stream):
            if toxic.kind == "slicer":
                cut = range(0, len(piece), toxic.size)
                parts = [(piece[at : at + toxic.size], toxic.seconds) for at in cut]
            elif toxic.kind == "bandwidth":
                cut = range(0, len(piece), max(1, toxic.rate // 20))
                size = max(1, toxic.rate // 20)
                parts = [(piece[at : at + size], size / toxic.rate) for at in cut]
            elif toxic.kind == "limit_data":
                parts = [(piece[: max(0, toxic.size - link.passed[stream])], 0.0)]
        return parts

    def _of(self, stream: Stream, kind: str = "") -> list[Toxic]:
        return [
            toxic
            for toxic in self.toxics
            if toxic.stream == stream
            and (not kind or toxic.kind == kind)
            and (toxic.times is None or toxic.played < toxic.times)
        ]

    def _played(self, toxic: Toxic) -> None:
        toxic.played += 1
