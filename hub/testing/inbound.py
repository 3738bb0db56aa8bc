"""What a connector's `verify`, `sign`, `parse` and `facts` must do with each request fixture.

Only SignatureError may leave a verifier, whatever the request. Bit flips are sampled with a
fixed seed, so that a failure repeats.
"""

import base64
import binascii
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hub.errors import SignatureError
from hub.model import Event, Json, PaymentFact, Request, rfc3339, write_json
from hub.plugin import Connector
from hub.secrets import Secret
from hub.testing import hostile
from hub.testing.case import Case, Mismatch, known, need, part, same, short, time
from hub.testing.delivery import Delivery, delivery, headers_of, request_of
from hub.testing.folder import Folder, load

VECTORS = ("origin", "cases", "note")
VECTOR = ("name", "secret", "method", "url", "headers", "body", "now", "expected", "note")
FLIPS = 64


def inbound(folder: Folder) -> Iterator[Case]:
    """Give the cases of every request fixture and vendor vector."""
    for path in folder.fixtures("in"):
        for claim, check in CLAIMS.items():
            name = f"{folder.kind} {folder.name(path)}: {claim}"
            yield Case(name, partial(_claim, folder, path, check))
    path = folder.path / "fixtures" / "vectors.json"
    if path.exists():
        yield Case(f"{folder.kind} vectors.json: is decided as it says", partial(_vectors, folder))


# -- claims --------------------------------------------------------------------------------------
def _claim(folder: Folder, path: Path, check: Callable[[Delivery], None]) -> None:
    check(delivery(folder, path))


def _good(sent: Delivery) -> None:
    """Raise Mismatch unless the request is taken as it stands: else no other claim says much."""
    error = sent.verdict("the request as it stands", sent.request)
    need(error is None, f"the good request is refused: {error}")


def _reads(sent: Delivery) -> None:
    _good(sent)
    if sent.expect.get("error") == "parse":
        try:
            events = list(sent.connector.parse(sent.request))
        except Exception:  # noqa: BLE001 -- parse may raise what it likes; the request is kept
            return
        raise Mismatch(f"parse must raise; it gave {short(events)}")
    events = list(sent.connector.parse(sent.request))
    same("parse is not pure: a second reading differs", events, list(_again(sent)))
    _compare_events(sent, events)
    facts = [fact for event in events for fact in sent.connector.facts(event)]
    _compare_facts(sent.expect.get("facts"), facts)


def _again(sent: Delivery) -> Iterator[Event]:
    yield from sent.connector.parse(sent.request)


def _compare_events(sent: Delivery, events: list[Event]) -> None:
    need("events" in sent.expect, 'expect has neither "events" nor "error"')
    same("number of events", len(sent.expect["events"]), len(events))
    for i, (expected, event) in enumerate(zip(sent.expect["events"], events, strict=True)):
        need(event.at.tzinfo is not None, f"event {i}: at has no time zone")
        twice = event.type.startswith(f"{sent.connector.type}.")
        need(not twice, f"event {i}: the hub puts the connector's name before {event.type}")
        part(f"event {i}", _timed(expected, "at"), _plain(event))


def _compare_facts(expected: list[dict[str, Json]] | None, facts: list[PaymentFact]) -> None:
    if expected is None:
        need(not facts, f'expect names no "facts", but there are {short(facts)}')
        return
    same("facts", [one.get("fact") for one in expected], [fact.fact for fact in facts])
    for i, (wanted, fact) in enumerate(zip(expected, facts, strict=True)):
        part(f"fact {i}", _timed(wanted, "occurred_at"), _plain(fact))


def _plain(thing: Any) -> dict[str, Json]:
    """Give an event or fact as fixtures write it."""
    found = {field.name: getattr(thing, field.name) for field in fields(thing)}
    return {n: rfc3339(v) if isinstance(v, datetime) else v for n, v in found.items()}


def _timed(expected: Mapping[str, Json], name: str) -> dict[str, Json]:
    """Give the expected fields with their time written as ours are."""
    if name not in expected:
        return dict(expected)
    return dict(expected) | {name: rfc3339(time(expected[name]).astimezone(UTC))}


def _unsigned(sent: Delivery) -> None:
    for name in sent.signature:
        sent.refuses(f"a request without {name}", sent.headed(name))
    need(
        sent.signature or sent.coverage != "body",
        'no header is needed to be accepted; a signature in the body is "coverage": "partial"',
    )
    names = {name.lower().encode() for name in sent.signature}
    bare = tuple(h for h in sent.request.headers if h[0].lower() not in names)
    if names:
        sent.refuses("a request without any signature", replace(sent.request, headers=bare))


def _other_body(sent: Delivery) -> None:
    body = sent.request.body
    others = {"CRLF added": body + b"\r\n", "cut short": body[:-1], "a BOM": b"\xef\xbb\xbf" + body}
    others |= {"empty": b"", "garbage": b"\xff\x00{]", "gzip": b"\x1f\x8b\x08\x00" + body}
    others |= {f"bit {bit} of byte {at} flipped": new for at, bit, new in _flips(body)}
    for what, other in others.items():
        if other == body:
            continue
        changed = sent.request.with_body(other)
        error = sent.verdict(f"another body ({what})", changed)
        need(
            error or sent.coverage != "body",
            f"another body ({what}) was accepted; where the provider leaves bytes unsigned, the "
            'fixture, or settings.json, says "coverage": "partial", or "none"',
        )


def _other_signature(sent: Delivery) -> None:
    for name, value in sent.signature.items():
        for at, bit, new in _flips(value.encode()):
            if not _as_good(value.encode(), new):
                sent.refuses(f"{name} with bit {bit} of byte {at} flipped", sent.headed(name, new))


def _flips(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield copies of the data with one bit flipped: all of them, or a fixed sample."""
    every = range(len(data) * 8)
    chosen = every if len(every) <= FLIPS else random.Random(len(data)).sample(every, FLIPS)  # noqa: S311
    for spot in chosen:
        at, bit = divmod(spot, 8)
        yield at, bit, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def _as_good(old: bytes, new: bytes) -> bool:
    """Say whether both are base64 of the same bytes: its last character has idle bits."""
    try:
        return base64.b64decode(old, validate=True) == base64.b64decode(new, validate=True)
    except binascii.Error:
        return False


def _in_time(sent: Delivery) -> None:
    """Where the signed headers bear the time, it is bounded both ways."""
    stamps = {str(int(sent.now)), str(int(sent.now * 1000))}
    if not any(stamp in value for stamp in stamps for value in sent.signature.values()):
        return
    _good(sent)
    past, future = sent.window
    say = 'where that is right, settings.json says "window": [old, ahead]'
    for what, at in (("old", past), ("ahead", -future)):
        error = sent.verdict(f"a time {abs(at):.0f} s {what}", sent.request, at=at)
        need(error is None, f"a time {abs(at):.0f} s {what} is refused; {say}")
        further = at + (1 if at > 0 else -1)
        error = sent.verdict(f"a time {abs(further):.0f} s {what}", sent.request, at=further)
        need(error, f"a time {abs(further):.0f} s {what} is accepted; {say}")
    for name, value in sent.signature.items():
        for stamp in stamps & set(hostile.digits(value)):
            for bad in hostile.TIMES:
                sent.refuses(
                    f"{name} with the time {short(bad)}",
                    sent.headed(name, value.encode().replace(stamp.encode(), bad)),
                )


def _hostile_headers(sent: Delivery) -> None:
    for name, value in sent.signature.items():
        for what, values in hostile.headers(value.encode()).items():
            sent.refuses(f"{name} {what}", sent.headed(name, *values))


def _other_secret(sent: Delivery) -> None:
    sent.refuses("the right signature under an empty secret", sent.request, secret=Secret("", "e"))
    wrong = [Secret("another-secret-0123456789abcdef", "wrong"), *sent.secrets[1:]]
    for secret in wrong:
        if secret != sent.secrets[0]:
            sent.refuses("the right signature under another secret", sent.request, secret=secret)


def _signs_itself(sent: Delivery) -> None:
    """What `sign` signs, `verify` takes: any body, each secret, and no other secret's."""
    if not sent.signature:
        return
    bodies = (sent.request.body, b"", b"\x00\xff\r\n", "ünïcödé ✓".encode(), b"[]")
    for secret in sent.secrets:
        for body in bodies:
            try:
                headers = headers_of(sent.connector.sign(body, secret, now=sent.now))
            except SignatureError:
                continue  # a public key signs nothing
            fresh = replace(sent.request, headers=headers, body=body)
            error = sent.verdict("what sign() signed", fresh, secret=secret)
            need(error is None, f"verify refuses what sign() signed over {short(body)}: {error}")


CLAIMS: Mapping[str, Callable[[Delivery], None]] = {
    "is read as expected": _reads,
    "is refused unsigned": _unsigned,
    "is refused around another body": _other_body,
    "is refused with another signature": _other_signature,
    "is refused too old and too far ahead": _in_time,
    "is refused with hostile headers": _hostile_headers,
    "is refused under another secret": _other_secret,
    "is taken when signed by sign()": _signs_itself,
}


# -- vendor vectors ------------------------------------------------------------------------------
def _vectors(folder: Folder) -> None:
    vectors = load(folder.path / "fixtures" / "vectors.json")
    known("vectors.json", vectors, VECTORS)
    need(vectors.get("origin"), "vectors.json does not say its origin")
    need(vectors.get("cases"), "vectors.json has no cases")
    for case in vectors["cases"]:
        known(f"case {case.get('name')}", case, VECTOR)
        body = case["body"]
        request = request_of(case, body.encode() if isinstance(body, str) else write_json(body))
        connector = folder.make(url=request.url)
        same(case["name"], case["expected"], _decided(connector, request, case))


def _decided(connector: Connector, request: Request, case: Mapping[str, Json]) -> str:
    try:
        connector.verify(request, Secret(case["secret"], "vector"), now=float(case["now"]))
    except SignatureError as error:
        return error.reason
    return "ok"
