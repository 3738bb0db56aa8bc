"""What an inbound request may cost us: bytes, time, encodings; whom its refusal is charged to."""

import asyncio
import zlib
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp import web

CODINGS = ("", "identity", "gzip", "deflate")
LARGE = 64 << 10
MOST_LARGE = 32
Network = IPv4Network | IPv6Network


class Bodies:
    """Reads bodies as they were sent: few large ones at once, so that their sum stays small.

    Args:
        cap: Most bytes of one.
        within: Seconds one may take to arrive, the wait for its turn included.
    """

    def __init__(self, *, cap: int, within: float) -> None:
        self.cap, self.within = cap, within
        self._turn = asyncio.Semaphore(MOST_LARGE)

    async def read(self, request: web.Request) -> bytes:
        """Read one.

        Raises:
            HTTPRequestEntityTooLarge: It is, or says it is, larger.
            HTTPRequestTimeout: It took longer; the connection ends.
            HTTPBadRequest: It was cut, or is malformed.
        """
        if (request.content_length or 0) > self.cap:
            raise _too_large(request, self.cap)
        try:
            async with asyncio.timeout(self.within):
                if request.content_length is not None and request.content_length <= LARGE:
                    return await request.read()
                async with self._turn:
                    return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise _too_large(request, self.cap) from error
        except web.RequestPayloadError as error:
            raise web.HTTPBadRequest from error
        except TimeoutError as error:
            late = web.HTTPRequestTimeout()
            late.force_close()
            raise late from error


def coding(request: web.Request) -> str:
    """Give the one known content coding of a request.

    Raises:
        HTTPUnsupportedMediaType: It is unknown, or there are several.
    """
    named = ",".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    if named not in CODINGS:
        raise web.HTTPUnsupportedMediaType
    return named


def unpack(data: bytes, named: str, *, cap: int) -> bytes:
    """Undo one content coding without ever holding more than `cap` bytes.

    Raises:
        HTTPBadRequest: The coding is broken.
        HTTPRequestEntityTooLarge: More than `cap` bytes come out.
    """
    if named in ("", "identity"):
        return data
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16 if named == "gzip" else zlib.MAX_WBITS)
    try:
        out = inflate.decompress(data, cap + 1)
    except zlib.error as error:
        raise web.HTTPBadRequest from error
    if len(out) > cap:
        raise web.HTTPRequestEntityTooLarge(max_size=cap, actual_size=len(out))
    if not inflate.eof or inflate.unused_data:
        raise web.HTTPBadRequest
    return out


def caller(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Say whose allowance a request spends: the last address that no trusted proxy vouches for.

    A whole /64 of IPv6 is one caller, since one caller has it.

    Args:
        peer: The address that connected.
        forwarded: Every X-Forwarded-For header; heeded only where a trusted proxy sent it.

    >>> caller("10.0.0.1", ["1.1.1.1, 203.0.113.7"], [ip_network("10.0.0.0/8")])
    '203.0.113.7'
    >>> caller("203.0.113.9", ["1.1.1.1"], [ip_network("10.0.0.0/8")])
    '203.0.113.9'
    """
    told = [part.strip() for part in ",".join(forwarded).split(",") if part.strip()]
    found = peer
    while told and _within(found, trusted) and _known(told[-1]):
        found = told.pop()
    return _grouped(found)


def urls(request: web.Request, configured: str) -> list[str]:
    """Give the addresses a request may have been sent to; only to guess why it was refused."""
    home = urlsplit(configured)
    hosts = [request.headers.get(name, "") for name in ("Host", "X-Forwarded-Host")]
    path = request.raw_path
    bare, mark, query = path.partition("?")
    other = bare.removesuffix("/") if bare.endswith("/") else f"{bare}/"
    return [
        f"{scheme}://{host}{way}"
        for host in dict.fromkeys([home.netloc, *filter(None, hosts)])
        for scheme in ("https", "http")
        for way in (path, f"{other}{mark}{query}")
    ]


def _known(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(text: str, networks: Sequence[Network]) -> bool:
    if not _known(text):
        return False
    found = ip_address(text)
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks if network.version == found.version)


def _grouped(text: str) -> str:
    if not _known(text):
        return text
    found = ip_address(text.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return str(found)


def _too_large(request: web.Request, cap: int) -> web.HTTPException:
    refused = web.HTTPRequestEntityTooLarge(
        max_size=cap, actual_size=request.content_length or cap + 1
    )
    refused.force_close()
    return refused
