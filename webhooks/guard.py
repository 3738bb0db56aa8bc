"""What an inbound request may cost us: bytes, time, encodings."""

import asyncio
import zlib

from aiohttp import web

CODINGS = ("", "identity", "gzip", "deflate")


def coding(request: web.Request) -> str:
    """Give the one known content coding of a request.

    Raises:
        HTTPUnsupportedMediaType: It is unknown, or there are several.
    """
    named = ",".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    if named not in CODINGS:
        raise web.HTTPUnsupportedMediaType
    return named


async def read(request: web.Request, *, cap: int, within: float) -> bytes:
    """Read a body as it was sent, so many bytes at most, in so many seconds at most.

    Raises:
        HTTPRequestEntityTooLarge: It is, or says it is, larger.
        HTTPRequestTimeout: It took longer; the connection ends.
    """
    if (request.content_length or 0) > cap:
        raise _too_large(request, cap)
    try:
        async with asyncio.timeout(within):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(request, cap) from error
    except TimeoutError as error:
        late = web.HTTPRequestTimeout()
        late.force_close()
        raise late from error


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


def _too_large(request: web.Request, cap: int) -> web.HTTPException:
    refused = web.HTTPRequestEntityTooLarge(
        max_size=cap, actual_size=request.content_length or cap + 1
    )
    refused.force_close()
    return refused
