"""Fuzz every verifier: mutations of good requests, and noise. `make fuzz` runs a million and more.

Two things end it badly: an exception that is no SignatureError, and a request that passes though
what is believed of it has changed.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from hub import Request, SignatureError
from tests.webhooks.samples import NOW, SAMPLES, Sample

ODD = (
    b"", b"\x00", b"\xff\xfe", "é".encode(), b" ", b",", b"=", b";", b"|", b".", b":", b"%", b"%00",
    b"v1=", b"v1,", b"v1a,", b"t=", b"sha256=", b"-1", b"1e9", b"NaN", b"9" * 20, b"A" * 9000,
    b'{"a":', b"[" * 70, b"&a=b" * 300, b"\r\n", b"\\ud800", b"null",
    b"-----BEGIN CERTIFICATE-----",
)  # fmt: skip


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes: flip, cut, double, insert something odd, or put noise in their place."""
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.randrange(1, 12))
    kind = chance.randrange(7)
    if kind == 0 and at < len(data):
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + data[at:end] * 2 + data[end:]
    if kind == 3:
        return data[:at] + chance.choice(ODD) + data[at:]
    if kind == 4:
        return data[:at] + chance.randbytes(end - at) + data[end:]
    if kind == 5:
        return chance.choice(ODD)
    return data[at:] + data[:at]


def body_of(request: Request, chance: random.Random) -> Request:
    return request.with_body(mutate(request.body, chance))


def url_of(request: Request, chance: random.Random) -> Request:
    raw = mutate(request.url.encode("utf-8", "surrogatepass"), chance)
    how = chance.choice(("surrogateescape", "surrogateescape", "replace"))
    url = raw.decode("utf-8", how)
    return replace(request, url=url + "\ud800" if chance.random() < 0.02 else url)


def header_of(request: Request, chance: random.Random) -> Request:
    headers = list(request.headers)
    if not headers:
        return body_of(request, chance)
    at = chance.randrange(len(headers))
    name, value = headers[at]
    kind = chance.randrange(8)
    if kind == 0:
        headers.pop(at)
    elif kind == 1:
        headers.insert(chance.randrange(len(headers) + 1), (name, mutate(value, chance)))
    elif kind == 2:
        headers[at] = (mutate(name, chance), value)
    else:
        headers[at] = (name, mutate(value, chance))
    return replace(request, headers=tuple(headers))


def fetched_of(request: Request, chance: random.Random) -> Request:
    """Change what was fetched; where nothing was, there suddenly is something."""
    return replace(request, fetched=mutate(request.fetched, chance))


CHANGES: tuple[Callable[[Request, random.Random], Request], ...] = (
    body_of, header_of, header_of, header_of, url_of, fetched_of,
)  # fmt: skip


def fuzz(
    samples: Iterable[Sample], rounds: int, seed: int = 1
) -> tuple[Counter[str], list[tuple[str, Request, str]]]:
    """Send each sample's verifier so many requests; give the verdicts and what went wrong."""
    chance, seen, wrong = random.Random(seed), Counter[str](), list[tuple[str, Request, str]]()
    for sample in samples:
        meant = sample.meaning(sample.request)
        for _ in range(rounds):
            request = sample.request
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                request = chance.choice(CHANGES)(request, chance)
            now = NOW + chance.choice((0, 0, 0, 300, -300, 301, 1e12, -1e12, 1e30))
            try:
                sample.verify(request, sample.secret, now=now)
            except SignatureError as error:
                seen[error.reason] += 1
            except Exception:  # noqa: BLE001 -- what is looked for
                wrong.append((sample.name, request, traceback.format_exc()))
            else:
                seen["ok"] += 1
                if not sample.loose and sample.meaning(request) != meant:
                    wrong.append((sample.name, request, "accepted, though changed"))
    return seen, wrong


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--inputs", type=int, default=1_000_000, help="at least so many, over all")
    asked.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = asked.parse_args()
    rounds = -(-given.inputs // len(SAMPLES))
    start = time.monotonic()
    seen, wrong = fuzz(SAMPLES, rounds, given.seed)
    took = time.monotonic() - start
    told = [
        f"{rounds * len(SAMPLES)} inputs, {len(SAMPLES)} schemes, {took:.0f} s, seed {given.seed}",
        ", ".join(f"{count} {reason}" for reason, count in seen.most_common()),
        *(f"\n{name}: {why}\n  {request}" for name, request, why in wrong[:10]),
        f"{len(wrong)} escaped, or passed though forged",
    ]
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
