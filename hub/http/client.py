"""The one way out: sessions, egress guard, timeouts, size cap, credentials, classification.

Whether a failed call may have been carried out hangs on one fact, noted just before the request's
head is written: did a byte leave? Until then every failure is `Retry`; after it, anything but a
whole answer is `Ambiguous`. No error class of aiohttp is trusted to tell the two apart.

A pooled connection that its server closes as we write to it therefore ends `Ambiguous` too: the
bytes were handed to the kernel, and RFC 9112 §9.3.1 lets nobody assume they were not acted on.
That race is kept rare by reusing only connections that idled for less than a server's usual 5 s
and more (`hub.http.egress`); and aiohttp's own silent second try of PUT, DELETE and GET on such
connections is off, since it would be an attempt that nobody counts.

Never: a redirect followed, a cookie kept, a proxy from the environment, a header value, body or
query in an error. aiohttp's exceptions carry URLs and headers, so they are not chained.
"""

import asyncio
import io
import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import aiohttp
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict

from hub import trace
from hub.clock import Clock
from hub.errors import Ambiguous, CallError, HubError, Reject, Retry
from hub.http.attempt import AttemptHttp, Timeouts
from hub.http.classify import Received, verdict
from hub.http.egress import Guard, Network, Trip, session, target
from hub.http.verbs import Ask, Verbs
from hub.plugin import Connector
from hub.secrets import Secret

CAP = 5 << 20
CHUNK = 64 << 10

try:
    AGENT = f"shop-hub/{version('shop-hub')}"
except PackageNotFoundError:  # a checkout is not installed
    AGENT = "shop-hub/dev"


class Outbound:
    """All ways out of one hub.

    Each connector has a session of its own, so that no pooled connection is ever lent to one
    with a stricter allow-list.

    Args:
        clock: For deadlines and Retry-After dates.
        tls: Another trust store than the machine's, for tests.
    """

    def __init__(self, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self.clock, self.tls = clock, tls
        self._clients: list[Client] = []
        self._ready = False

    async def open(self) -> Self:
        """Allow calls from here on."""
        self._ready = True
        return self

    async def close(self) -> None:
        """Allow no more calls, and close every connection."""
        self._ready = False
        await asyncio.gather(*(client.close() for client in list(self._clients)))

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def ready(self) -> bool:
        """Say whether calls are allowed."""
        return self._ready

    async def drop(self, client: "Client") -> None:
        """Close a way out that is needed no more."""
        self._clients.remove(client)
        await client.close()

    def client(
        self,
        connector_class: type[Connector],
        settings: Any,
        *,
        name: str,
        allow_private: Iterable[str | Network] = (),
        connect_timeout: float = 5.0,
        total_timeout: float = 30.0,
    ) -> "Client":
        """Make the way out of one connector.

        Args:
            connector_class: Its `auth`, `statuses` and `classify` are used.
            settings: Its validated settings; `base_url` is the only host it may call.
            name: The key in config.yaml, which error texts begin with.
            allow_private: Networks it may reach although private, and over plain http.
            connect_timeout: Seconds for look-up, connect and TLS together.
            total_timeout: Seconds for one call.
        """
        plain = settings.base_url.startswith("http:")
        client = Client(
            self,
            connector_class(name, settings, None),
            guard=Guard(allow_private, plain=plain),
            timeouts=(connect_timeout, total_timeout),
        )
        self._clients.append(client)
        return client

    def forget(self, client: "Client") -> None:
        """Let go of a client that is closed."""
        if client in self._clients:
            self._clients.remove(client)


class Client(Verbs):
    """One connector's way out, for `check` and sources; actions get an `attempt` of it."""

    def __init__(
        self,
        outbound: Outbound,
        connector: Connector,
        *,
        guard: Guard,
        timeouts: Timeouts,
    ) -> None:
        self.connector, self.clock = connector, outbound.clock
        self._outbound, self._guard = outbound, guard
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._ready = True

    def attempt(
        self,
        *,
        deadline: datetime,
        timeout: float | None = None,
        expected_hash: bytes | None = None,
        heard: Callable[[Mapping[str, str]], None] | None = None,
        timeouts: Timeouts | None = None,
    ) -> AttemptHttp:
        """Give the view that one attempt of a job uses as `call.http`.

        Args:
            deadline: When the attempt must have ended.
            timeout: Seconds for the whole attempt, where the action sets its own.
            expected_hash: SHA-256 of the first attempt's body; another body is not sent.
            heard: Told every answer's headers.
            timeouts: For each call, instead of the connector's own.
        """
        return AttemptHttp(
            self,
            deadline=deadline,
            timeout=timeout,
            expected_hash=expected_hash,
            heard=heard,
            timeouts=timeouts,
        )

    async def send(self, ask: Ask) -> Received:
        """Make the request within the connector's own time limit."""
        return self.judge(await self.exchange(ask, within=self._timeouts[1], trip=Trip(self.clock)))

    def judge(self, answer: Received) -> Received:
        """Give a 2xx back; raise what any other answer means."""
        if 200 <= answer.status < 300:
            return answer
        raise verdict(answer, self.connector, now=self.clock.now(), secrets=self._secrets())

    async def exchange(
        self, ask: Ask, *, within: float, trip: Trip, timeouts: Timeouts | None = None
    ) -> Received:
        """Make the request and read the whole answer, whatever its status.

        Raises:
            Retry: No byte of the request left.
            Ambiguous: It left, and no whole answer came.
            Reject: The URL or address may not be called.
        """
        url = target(self.connector.settings.base_url, ask.path)
        connect, total = timeouts or self._timeouts
        within = min(within, total)
        limits = aiohttp.ClientTimeout(total=within, connect=min(connect, within))
        told = trace.span(
            ask.method,
            "client",
            http__request__method=ask.method,
            server__address=url.host or "",
            hub__connector=self.connector.name,
        )
        with told as span:
            try:
                async with self._opened().request(
                    ask.method,
                    url,
                    params=ask.params,
                    headers=self._headers(ask),
                    data=_payload(ask.body),
                    allow_redirects=False,
                    timeout=limits,
                    trace_request_ctx=trip,
                ) as answer:
                    span.note("http.response.status_code", answer.status)
                    return Received(answer.status, answer.headers, await self._read(answer))
            except (aiohttp.ClientError, OSError) as error:
                span.fail(type(error).__name__)
                raise self._failed(error, left=trip.left) from None

    async def close(self) -> None:
        """Close the connections, for good: whoever still holds it opens none."""
        self._ready = False
        self._outbound.forget(self)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if not (self._ready and self._outbound.ready):
            raise HubError(f"{self.connector.name}: the way out is closed")
        if self._session is None:
            self._session = session(self._guard, self._outbound.tls)
        return self._session

    def _headers(self, ask: Ask) -> CIMultiDict[str]:
        """Add our own headers, and the credential last, over whatever was there."""
        headers = CIMultiDict({"Accept": "application/json"})
        headers.update(ask.headers)
        headers["User-Agent"] = AGENT
        if (under_way := trace.current()) is not None:
            headers["traceparent"] = under_way
        if self.connector.auth is not None:
            headers.update(self.connector.auth.headers(self.connector.settings))
        return headers

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """Read the body in pieces, unpacked, so that no answer fills the memory."""
        whole = bytearray()
        while piece := await answer.content.read(CHUNK):
            whole += piece
            if len(whole) > CAP:
                raise Ambiguous(f"{self.connector.name}: answer over {CAP >> 20} MiB")
        return bytes(whole)

    def _failed(self, error: Exception, *, left: bool) -> CallError:
        if isinstance(error, aiohttp.InvalidURL):
            return Reject(f"{self.connector.name}: the URL cannot be called")
        if left:
            return Ambiguous(f"{self.connector.name}: no whole answer ({_why(error)})")
        return Retry(f"{self.connector.name}: no connection ({_why(error)})")

    def _secrets(self) -> list[str]:
        """Name every secret text that a provider might echo."""
        settings = self.connector.settings
        held = [value for _, value in settings if isinstance(value, Secret)]
        auth = self.connector.auth.headers(settings) if self.connector.auth else {}
        words = [word for value in auth.values() for word in value.split() if len(word) > 7]
        return words + [one.reveal().decode(errors="replace") for one in held if one.reveal()]


def _payload(body: bytes | None) -> BytesPayload | io.BytesIO | None:
    """Give a body as aiohttp would make it of bytes; a large one as a stream, written in pieces."""
    if body is None:
        return None
    return io.BytesIO(body) if len(body) > 1 << 20 else BytesPayload(body)


def _why(error: Exception) -> str:
    """Name a network failure without its URL or headers."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the name is not found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, TimeoutError):
        return "out of time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or type(error.os_error).__name__
    return type(error).__name__
