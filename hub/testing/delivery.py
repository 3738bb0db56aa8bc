"""A request fixture, read and signed, and the questions a verifier is asked about it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.errors import SignatureError
from hub.model import Json, Request, write_json
from hub.plugin import Connector
from hub.secrets import Secret
from hub.testing.case import Mismatch, known, need, short
from hub.testing.folder import NOW, Folder, load

FIXTURE = ("source", "request", "sign", "now", "coverage", "expect")
REQUEST = ("method", "url", "headers", "body")
EXPECT = ("events", "facts", "error")
WINDOW = (300, 300)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A request fixture, signed and ready, with the connector that must take it."""

    connector: Connector
    request: Request
    secrets: list[Secret]
    signature: Mapping[str, str]
    now: float
    coverage: str
    window: tuple[float, float]
    expect: Mapping[str, Json]

    def verify(self, request: Request, *, secret: Secret | None = None, at: float = 0) -> None:
        """Verify with the first secret, `at` seconds from the fixture's time."""
        self.connector.verify(request, secret or self.secrets[0], now=self.now + at)

    def refuses(self, what: str, request: Request, **how: Any) -> None:
        """Raise Mismatch unless the verifier raises SignatureError and nothing else."""
        error = self.verdict(what, request, **how)
        need(error is not None, f"{what} was accepted; it must raise SignatureError")

    def verdict(self, what: str, request: Request, **how: Any) -> SignatureError | None:
        """Give what the verifier says; any other error is a Mismatch."""
        try:
            self.verify(request, **how)
        except SignatureError as error:
            return error
        except Exception as error:
            raise Mismatch(
                f"{what}: {type(error).__name__} left verify ({short(str(error))}); "
                "only SignatureError may"
            ) from error
        return None

    def headed(self, name: str, *values: bytes) -> Request:
        """Give the request with a header sent with these values, in their order."""
        others = [h for h in self.request.headers if h[0].lower() != name.lower().encode()]
        sent = tuple((name.encode(), value) for value in values)
        return replace(self.request, headers=(*others, *sent))


def delivery(folder: Folder, path: Path) -> Delivery:
    """Read a request fixture and sign it, where it asks for that."""
    fixture = load(path)
    known("the fixture", fixture, FIXTURE)
    known("request", fixture["request"], REQUEST)
    known("expect", fixture.get("expect", {}), EXPECT)
    need(folder.secrets, 'settings.json lists no "secrets"')
    request = request_of(fixture["request"], _body(path, fixture["request"]))
    connector = folder.make(url=request.url)
    now = float(fixture.get("now", NOW))
    signature: Mapping[str, str] = {}
    if fixture.get("sign"):
        signature = connector.sign(request.body, folder.secrets[0], now=now)
        request = replace(request, headers=(*request.headers, *headers_of(signature)))
    past, future = folder.given.get("window", WINDOW)
    sent = Delivery(
        connector=connector,
        request=request,
        secrets=folder.secrets,
        signature=signature,
        now=now,
        coverage=fixture.get("coverage", folder.given.get("coverage", "body")),
        window=(float(past), float(future)),
        expect=fixture.get("expect", {}),
    )
    return sent if fixture.get("sign") else replace(sent, signature=_needed(sent))


def _needed(sent: Delivery) -> dict[str, str]:
    """Find a captured request's signature: the headers without which it is refused."""
    headers = {name.decode(): value.decode("latin-1") for name, value in sent.request.headers}
    return {n: v for n, v in headers.items() if sent.verdict(f"no {n}", sent.headed(n))}


def _body(path: Path, request: Mapping[str, Json]) -> bytes:
    raw = path.with_suffix(".body")
    if raw.exists():
        return raw.read_bytes()
    body = request.get("body", "")
    return body.encode() if isinstance(body, str) else write_json(body)


def request_of(given: Mapping[str, Json], body: bytes) -> Request:
    """Make the inbound request that a fixture or vector describes."""
    return Request(
        method=given.get("method", "POST"),
        url=given.get("url", "https://hub.example.com/webhooks/fixture"),
        headers=headers_of(given.get("headers", {})),
        body=body,
        received_at=datetime.fromtimestamp(NOW, UTC),
    )


def headers_of(given: Mapping[str, Json]) -> tuple[tuple[bytes, bytes], ...]:
    """Make raw headers; a list of values is a header sent that often."""
    values = {name: v if isinstance(v, list) else [v] for name, v in given.items()}
    return tuple((name.encode(), v.encode()) for name, vs in values.items() for v in vs)
