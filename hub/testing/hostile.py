"""Inputs that no verifier and no action may be surprised by."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

TIMES: tuple[bytes, ...] = (
    b"", b"abc", b"-1", b"+1700000000", b"1_700_000_000", b" 1700000000", b"1700000000 ", b"1e9",
    b"NaN", b"inf", b".9", b"1700000000.5", b"0", b"1" + b"0" * 30,
    b"\xd9\xa1\xd9\xa7" + b"\xd9\xa0" * 8,  # Arabic digits
)  # fmt: skip


def digits(value: str) -> Iterator[str]:
    """Yield every run of digits in a header's value."""
    yield from re.findall(r"[0-9]+", value)


def headers(value: bytes) -> Mapping[str, tuple[bytes, ...]]:
    """Give what may be sent for a signature header of this value; all of it must be refused."""
    found = {
        "empty": (b"",),
        "of spaces": (b"   ",),
        "sent twice": (value, value),
        "sent twice, the second forged": (value, b"forged"),
        "sent twice, the first forged": (b"forged", value),
        "of 64 KiB": (b"a" * 65_536,),
        "with 64 KiB behind it": (value + b"," + b"a" * 65_536,),
        "with a NUL": (value + b"\x00",),
        "not ASCII": (value + "é".encode(),),
        "not UTF-8": (b"\xff\xfe" + value,),
        "only a comma": (b",",),
        "only an equals sign": (b"=",),
        "of unknown keys": (b"v0=abc,h2=def",),
        "a thousand times over": (b",".join([value] * 1000),),
        "eleven times over": (b",".join([value] * 11),),
        "cut by one character": (value[:-1],),
        "cut in half": (value[: len(value) // 2],),
        "longer by one character": (value + b"0",),
        "with a newline behind it": (value + b"\n",),
        "as another kind": (b"sha1=" + value,),
    }
    shouted = value.upper()
    return found if shouted == value else found | {"in upper case": (shouted,)}


# An answer to the first call of an action, and which errors it may end in; None: any CallError,
# or the success the action can make of it.
ANSWERS: Mapping[str, tuple[dict[str, Any], frozenset[str] | None]] = {
    "a refused connection": ({"fault": "refuse"}, frozenset({"Retry"})),
    "a cut answer": ({"fault": "cut"}, frozenset({"Ambiguous"})),
    "a redirect": (
        {"status": 302, "headers": {"Location": "https://elsewhere.example/"}},
        frozenset({"Reject"}),
    ),
    "a bare 401": ({"status": 401}, frozenset({"AuthFailed"})),
    "a bare 429": ({"status": 429}, frozenset({"RateLimited"})),
    "a page with 502": (
        {"status": 502, "headers": {"Content-Type": "text/html"}, "body": "<html>Bad gateway"},
        frozenset({"Ambiguous", "Retry"}),
    ),
    "a 2xx cut off in its JSON": ({"status": 200, "body": '{"id": "1", "da'}, None),
    "an empty 2xx": ({"status": 200, "body": ""}, None),
    "a 2xx page": (
        {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>Maintenance"},
        None,
    ),
}
