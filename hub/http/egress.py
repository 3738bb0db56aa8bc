"""Where a connector may connect to: its session, the addresses, the URLs below its `base_url`.

The guard stands at the socket, where the final address of every connect is seen: literal
addresses and names that are re-bound after a first look-up pass no resolver. The resolver is
guarded too, because aiohttp drops any error but an OSError when it races several addresses.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from hub.clock import Clock
from hub.errors import Reject

Network = IPv4Network | IPv6Network
REUSE = 4.0  # seconds a pooled connection may have idled

# `is_global` is True for these on Python 3.11: translated IPv4, tunnels, relays, documentation.
NEVER = tuple(
    ip_network(net) for net in ("2002::/16", "3fff::/20", "192.88.99.0/24", "192.0.0.0/24")
)
# All that is given out on the internet. Outside lie NAT64, SIIT, IPv4-compatible, site-local.
# Source: https://www.iana.org/assignments/ipv6-address-space
UNICAST = ip_network("2000::/3")
# Ports below 1024 belong to other services, but for these; of the others, those that speak mail,
# files, chat or telephony. Source: https://fetch.spec.whatwg.org/#port-blocking
INNER_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
WEB_PORTS = frozenset({80, 443})
OTHER_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679,
     6697, 10080}
)  # fmt: skip


def public(address: str) -> bool:
    """Say whether an address is on the open internet, tunnels and mapped forms seen through."""
    found = _plain(address)
    if found.version == 6 and found not in UNICAST:
        return False
    return found.is_global and not found.is_multicast and not _within(found, NEVER)


def web_port(port: int) -> bool:
    """Say whether a port may be that of an API on the open internet."""
    return port in WEB_PORTS or (1024 <= port <= 65535 and port not in OTHER_PORTS)


class Guard:
    """What one connector may reach: the open internet over TLS, and its own allow-list.

    Args:
        allow: Networks (CIDR) that may be reached although private.
        plain: The connector speaks plain http: nothing outside `allow` may be reached.
    """

    def __init__(self, allow: Iterable[str | Network] = (), *, plain: bool = False) -> None:
        self.allow = tuple(ip_network(net) for net in allow)
        self.plain = plain

    def permits(self, address: str, port: int = 443) -> bool:
        """Say whether this address may be reached, at this port."""
        try:
            if _within(_plain(address), self.allow):
                return True
            return not self.plain and web_port(port) and public(address)
        except ValueError:
            return False

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one connect; aiohttp's `socket_factory`.

        Raises:
            Reject: The address may not be reached. An OSError would count as "nothing sent",
                and be tried again for days.
        """
        family, kind, proto, _, (host, port, *_) = info
        if not self.permits(str(host), port):
            raise self.refusal(str(host), port)
        return socket.socket(family, kind, proto)

    def resolver(self) -> AbstractResolver:
        """Give a resolver that leaves out what may not be reached; needs a running loop."""
        return _Resolver(self)

    def refusal(self, host: str, port: int = 443) -> Reject:
        """Say that a host may not be reached, and what would allow it."""
        if not web_port(port):
            return Reject(f"port {port} is no port of an API; egress.allow_private opens it")
        if self.plain:
            return Reject(f"plain http to {host} is only for networks in egress.allow_private")
        return Reject(f"{host} is no public address; egress.allow_private does not name it")


def check_url(url: str, guard: Guard) -> None:
    """See that a URL somebody gave us could be called at all; its name is looked up at each call.

    Raises:
        Reject: No https, no host, user information, a fragment, or what the guard refuses.
    """
    try:
        found = URL(url)
        host, port = found.host or "", found.port or 0
    except ValueError:
        raise Reject("the URL cannot be read") from None
    plain = found.scheme == "http" and bool(guard.allow)
    if not host or not (found.scheme == "https" or plain) or not url.isascii():
        raise Reject("the URL must begin with https:// and name a host, in ASCII")
    if found.raw_user is not None or "#" in url or " " in url or not url.isprintable():
        raise Reject("the URL has user information, a fragment or a space in it")
    literal = _literal(host)
    if literal is not None and not guard.permits(literal, port):
        raise guard.refusal(host, port)
    if not guard.allow and (_inner(host, literal) or not web_port(port)):
        raise guard.refusal(host, port)


def target(base: str, path: str) -> URL:
    """Join a path to a base URL, or take a whole URL of the same origin.

    Raises:
        Reject: Another scheme, host or port; dot segments; a fragment; user information.
    """
    home = URL(base)
    try:
        url = URL(base.rstrip("/") + path if path.startswith("/") or not path else path)
        same = (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
    except ValueError:
        raise Reject("the URL cannot be read") from None
    if not same or url.raw_user is not None or url.raw_password is not None:
        raise Reject(f"only {home.host} may be called with this account's credentials")
    if "#" in path or ".." in re.split(r"[/\\]", unquote(path.partition("?")[0])):
        raise Reject("the path has '..' or a fragment in it")
    return url


@dataclass(slots=True)
class Trip:
    """How far one request came; `left` just before its head is written.

    Attributes:
        sent: When what is known to be written last was, in unix seconds.
    """

    clock: Clock
    left: bool = False
    sent: float | None = None


def session(guard: Guard, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """Make a connector's session; needs a running loop."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_leaves)
    # The head is kept back until the first piece of a body goes with it.
    trace.on_request_chunk_sent.append(_leaves)
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=guard.socket,
            resolver=guard.resolver(),
            keepalive_timeout=REUSE,
            ssl=tls or True,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[trace],
    )
    made._retry_connection = False  # noqa: SLF001 -- no public switch; a test sees it off
    return made


async def _leaves(_: aiohttp.ClientSession, context: Any, __: Any) -> None:
    trip: Trip = context.trace_request_ctx
    trip.left, trip.sent = True, trip.clock.now().timestamp()


class _Resolver(ThreadedResolver):
    """Resolves names to permitted addresses alone."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        kept = [one for one in found if self._guard.permits(one["host"], port)]
        if found and not kept:
            raise self._guard.refusal(host, port)
        return kept


def _literal(host: str) -> str | None:
    """Read a host that is an address in any spelling resolvers take (`127.1`, `0x7f000001`)."""
    with suppress(ValueError):
        return str(_plain(host))
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    return None


def _inner(host: str, literal: str | None) -> bool:
    """Say whether a name can only be one of an inner network."""
    name = host.rstrip(".").lower()
    return literal is None and ("." not in name or name.endswith(INNER_NAMES))


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Read an address without its zone, IPv4 where it is only mapped."""
    found = ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _within(found: IPv4Address | IPv6Address, nets: Iterable[Network]) -> bool:
    return any(found in net for net in nets if net.version == found.version)
