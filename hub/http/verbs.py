"""The verbs of `hub.plugin.Http`, and the stand-in for an aiohttp session, over one `send`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from multidict import CIMultiDict

from hub.http.classify import Received
from hub.model import Json, write_json

READS = frozenset({"GET", "HEAD", "OPTIONS"})
Headers = Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to make; `body` as it goes on the wire."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes | None = None

    @property
    def writes(self) -> bool:
        """Say whether the method may change anything at the provider."""
        return self.method not in READS


class Verbs:
    """The verbs of `hub.plugin.Http` over one `send`."""

    async def send(self, ask: Ask) -> Received:
        """Make the request; give a 2xx answer, raise a CallError for all else."""
        raise NotImplementedError

    async def get(
        self, path: str, *, params: Mapping[str, str] | None = None, headers: Headers = None
    ) -> Received:
        """Read."""
        return await self.send(_ask("GET", path, params=params, headers=headers))

    async def post(
        self,
        path: str,
        *,
        json: Json = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Headers = None,
    ) -> Received:
        """Send `json`, or `data` as it is."""
        return await self.send(_ask("POST", path, json, body=data, params=params, headers=headers))

    async def put(self, path: str, *, json: Json = None, headers: Headers = None) -> Received:
        """Replace."""
        return await self.send(_ask("PUT", path, json, headers=headers))

    async def patch(self, path: str, *, json: Json = None, headers: Headers = None) -> Received:
        """Change."""
        return await self.send(_ask("PATCH", path, json, headers=headers))

    async def delete(self, path: str, *, headers: Headers = None) -> Received:
        """Delete."""
        return await self.send(_ask("DELETE", path, headers=headers))

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = None,
        data: str | bytes | None = None,
        **_: Any,
    ) -> "SdkAnswer":
        """Stand in for an aiohttp session under Stripe's SDK, which wraps this in `except`.

        So it never raises: the classified error comes from the answer's `content.read()`, which
        the SDK awaits outside of that.
        """
        body = data.encode() if isinstance(data, str) else data
        try:
            return SdkAnswer(await self.send(_ask(method.upper(), url, body=body, headers=headers)))
        except Exception as error:  # noqa: BLE001 -- raised by content.read(), unchanged
            return SdkAnswer(error)


class SdkAnswer:
    """What Stripe's SDK reads of an answer; `content` is the answer itself."""

    def __init__(self, outcome: Received | Exception) -> None:
        self._outcome = outcome
        self.status: int = outcome.status if isinstance(outcome, Received) else 0
        self.headers: Mapping[str, str] = outcome.headers if isinstance(outcome, Received) else {}

    @property
    def content(self) -> Self:
        """Give what `read()` is called on."""
        return self

    async def read(self) -> bytes:
        """Give the body, or raise what the request ended in."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome.body


def _ask(method: str, path: str, json: Json = None, *, headers: Headers = None, **more: Any) -> Ask:
    sent: CIMultiDict[str] = CIMultiDict(headers or {})
    if json is not None:
        sent.setdefault("Content-Type", "application/json")
        more["body"] = write_json(json)
    return Ask(method=method, path=path, headers=sent, **more)
