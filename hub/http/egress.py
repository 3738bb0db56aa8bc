"""Where a connector may connect to: its session, the addresses, the URLs below its `base_url`.

The guard stands at the socket, where the final address of every connect is seen: literal
addresses and names that are re-bound after a first look-up pass no resolver. The resolver is
guarded too, because aiohttp drops any error but an OSError when it races several addresses.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from hub.errors import Reject

Network = IPv4Network | IPv6Network
REUSE = 4.0  # seconds a pooled connection may have idled

# `is_global` is True for these on Python 3.11: mapped and translated IPv4, tunnels, relays.
NEVER = tuple(
    ip_network(net)
    for net in (
        "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fec0::/10",
        "192.88.99.0/24", "192.0.0.0/24",
    )
)  # fmt: skip


def public(address: str) -> bool:
    """Say whether an address is on the open internet, tunnels and mapped forms seen through."""
    found = _plain(address)
    return found.is_global and not found.is_multicast and not _within(found, NEVER)


class Guard:
    """What one connector may reach: the open internet over TLS, and its own allow-list.

    Args:
        allow: Networks (CIDR) that may be reached although private.
        plain: The connector speaks plain http: nothing outside `allow` may be reached.
    """

    def __init__(self, allow: Iterable[str | Network] = (), *, plain: bool = False) -> None:
        self.allow = tuple(ip_network(net) for net in allow)
        self.plain = plain

    def permits(self, address: str) -> bool:
        """Say whether this address may be reached."""
        try:
            if _within(_plain(address), self.allow):
                return True
            return not self.plain and public(address)
        except ValueError:
            return False

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one connect; aiohttp's `socket_factory`.

        Raises:
            Reject: The address may not be reached. An OSError would count as "nothing sent",
                and be tried again for days.
        """
        family, kind, proto, _, address = info
        if not self.permits(str(address[0])):
            raise self.refusal(str(address[0]))
        return socket.socket(family, kind, proto)

    def resolver(self) -> AbstractResolver:
        """Give a resolver that leaves out what may not be reached; needs a running loop."""
        return _Resolver(self)

    def refusal(self, host: str) -> Reject:
        """Say that a host may not be reached, and what would allow it."""
        if self.plain:
            return Reject(f"plain http to {host} is only for networks in egress.allow_private")
        return Reject(f"{host} is no public address; egress.allow_private does not name it")


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
    """How far one request came; `left` just before its head is written."""

    left: bool = False


def session(guard: Guard, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """Make a connector's session; needs a running loop."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_leaves)
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
    context.trace_request_ctx.left = True


class _Resolver(ThreadedResolver):
    """Resolves names to permitted addresses alone."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        kept = [one for one in found if self._guard.permits(one["host"])]
        if found and not kept:
            raise self._guard.refusal(host)
        return kept


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Read an address without its zone, IPv4 where it is only mapped."""
    found = ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _within(found: IPv4Address | IPv6Address, nets: Iterable[Network]) -> bool:
    return any(found in net for net in nets if net.version == found.version)
