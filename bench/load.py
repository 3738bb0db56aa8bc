"""The other side of a measured server: who sends it signed webhooks, and the provider it calls.

Both are bare asyncio protocols in the bench's own process: they cost little, and what they cost is
not counted, since only the CPU time of the measured processes is.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.stripe import inbound
from hub.secrets import Secret

SECRET = Secret("whsec_benchmark_secret", "bench")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
FIELDS = 34  # of an event's object, so that it has 3 kB
WITHIN = 120.0


@dataclass(slots=True)
class Target:
    """The provider: answers every POST with 200 and counts it.

    Attributes:
        came: When each call came, by `perf_counter`.
        heard: Called after each.
    """

    port: int = 0
    came: list[float] = field(default_factory=list)
    heard: Callable[[bytes], None] = lambda _: None
    _server: asyncio.Server | None = None

    async def open(self) -> "Target":
        """Serve on a free port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Answering(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()


class _Answering(asyncio.Protocol):
    """One connection to the provider."""

    def __init__(self, target: Target) -> None:
        self.target, self.waiting = target, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # of a TCP server

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while (whole := _whole(self.waiting)) is not None:
            asked, self.waiting = self.waiting[:whole], self.waiting[whole:]
            self.target.came.append(time.perf_counter())
            self.transport.write(ANSWER)
            self.target.heard(asked)


def _whole(data: bytes) -> int | None:
    """Give the length of the first message, once it is there."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    at = data[:head].lower().find(b"content-length:")
    length = int(data[at + 15 : data.find(b"\r\n", at)]) if at >= 0 else 0
    return head + 4 + length if len(data) >= head + 4 + length else None


class Sender(asyncio.Protocol):
    """One kept-alive connection to a measured server."""

    def __init__(self) -> None:
        self.waiting, self.answered = b"", asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # of TCP

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        if (whole := _whole(self.waiting)) is not None:
            status, self.waiting = int(self.waiting[9:12]), self.waiting[whole:]
            self.answered.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answered.done():
            self.answered.cancel()

    async def send(self, request: bytes) -> int:
        """Send one and give its status."""
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        status: int = await self.answered
        return status


async def senders(port: int, count: int) -> list[Sender]:
    """Connect so often."""
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Sender, "127.0.0.1", port) for _ in range(count)]
    return [sender for _, sender in made]


async def closed(ports: Sequence[int], requests: Sequence[bytes], connections: int = 64) -> None:
    """Send all, each connection its next once the one before is answered 200."""
    waiting = iter(requests)
    every = [s for port in ports for s in await senders(port, max(1, connections // len(ports)))]

    async def one(sender: Sender) -> None:
        for request in waiting:
            if (status := await sender.send(request)) != 200:
                raise RuntimeError(f"answered {status}")

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(one(sender) for sender in every))
    for sender in every:
        sender.transport.close()


async def delivered(
    target: Target,
    ports: Sequence[int],
    requests: Sequence[bytes],
    *,
    calls: int = 3,
    most: int = 64,
) -> None:
    """Send all, at most so many at a time of which not every call has come yet."""
    target.came.clear()
    room, total = asyncio.Semaphore(most), len(requests) * calls
    every = asyncio.Event()

    def heard(_: bytes) -> None:
        if len(target.came) % calls == 0:
            room.release()
        if len(target.came) == total:
            every.set()

    target.heard = heard
    waiting = iter(requests)
    connected = [s for port in ports for s in await senders(port, max(1, most // len(ports)))]

    async def one(sender: Sender) -> None:
        while True:
            await room.acquire()
            if (request := next(waiting, None)) is None:
                room.release()
                return
            if (status := await sender.send(request)) != 200:
                raise RuntimeError(f"answered {status}")

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(one(sender) for sender in connected))
        await every.wait()
    for sender in connected:
        sender.transport.close()


async def steady(port: int, requests: Sequence[bytes], rate: float) -> list[tuple[float, float]]:
    """Send at a steady pace, whatever the answers do; give when each was due and was answered.

    Args:
        rate: Requests a second.
    """
    free: asyncio.Queue[Sender] = asyncio.Queue()
    every = await senders(port, 64)
    for sender in every:
        free.put_nowait(sender)
    begun = time.perf_counter() + 0.1

    async def one(request: bytes, due: float) -> tuple[float, float]:
        sender = await free.get()
        if (status := await sender.send(request)) != 200:
            raise RuntimeError(f"answered {status}")
        free.put_nowait(sender)
        return due, time.perf_counter()

    tasks = []
    for n, request in enumerate(requests):
        due = begun + n / rate
        await asyncio.sleep(due - time.perf_counter())
        tasks.append(asyncio.create_task(one(request, due)))
    async with asyncio.timeout(WITHIN):
        found = await asyncio.gather(*tasks)
    for sender in every:
        sender.transport.close()
    return found


# -- what is sent ----------------------------------------------------------------------------------
class Events:
    """Distinct events of 3 kB, each signed as Stripe signs."""

    def __init__(self) -> None:
        self.number, self.run = 0, time.time_ns()

    def signed(self, count: int, *, path: str = "/webhooks/stripe") -> list[bytes]:
        """Give so many whole requests, signed now."""
        return [self._request(path, body) for body in self._bodies(count)]

    def _bodies(self, count: int) -> Iterator[bytes]:
        made = int(datetime.now(UTC).timestamp())
        for _ in range(count):
            self.number += 1
            its = {f"field_{n}": f"{n:04} " + "x" * 60 for n in range(FIELDS)}
            its |= {"email": f"buyer-{self.number}@example.com", "name": "Ann Example"}
            thing = {"id": f"pi_{self.run}_{self.number}", "object": "payment_intent", **its}
            event = {
                "id": f"evt_{self.run}_{self.number}", "object": "event", "created": made,
                "livemode": False, "type": "payment_intent.created", "data": {"object": thing},
            }  # fmt: skip
            yield json.dumps(event).encode()

    def _request(self, path: str, body: bytes) -> bytes:
        signed = inbound.sign(body, SECRET, now=time.time())
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
            f"User-Agent: Stripe/1.0\r\nAccept: */*\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
