"""Bodies as they may have been before a proxy wrote them anew."""

import json
import zlib
from collections.abc import Iterator

LARGEST = 1 << 20
BOM = b"\xef\xbb\xbf"


def before(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what was done to a body, and the body without it."""
    yield "white space was added at its end", body.rstrip()
    yield "its last line end was taken away", body + b"\n"
    yield "its last line end was taken away", body + b"\r\n"
    yield "its line ends were changed", body.replace(b"\r\n", b"\n")
    yield "its line ends were changed", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "a byte order mark was added", body.removeprefix(BOM)
    if (packed := _unpacked(body)) is not None:
        yield "it was packed", packed
    yield from (("its character set was changed", other) for other in _recoded(body))
    yield from (("its JSON was written anew", other) for other in _rewritten(body))


def _unpacked(body: bytes) -> bytes | None:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
    try:
        return inflate.decompress(body, LARGEST)
    except zlib.error:
        return None


def _recoded(body: bytes) -> Iterator[bytes]:
    for one, other in (("utf-8", "latin-1"), ("latin-1", "utf-8")):
        try:
            yield body.decode(one).encode(other)
        except UnicodeError:
            continue


def _rewritten(body: bytes) -> Iterator[bytes]:
    """Yield the same JSON as different libraries write it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for separators, indent in (((",", ":"), None), ((", ", ": "), None), ((",", ": "), 2)):
        for plain in (False, True):
            try:
                text = json.dumps(
                    value, separators=separators, indent=indent, ensure_ascii=not plain
                )
                yield text.encode()
                yield text.replace("/", r"\/").encode()  # PHP
                yield (  # Go
                    text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
                ).encode()
            except (ValueError, RecursionError):
                continue
