"""A provider on 127.0.0.1 that plays one fixture's calls, and keeps what it was asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from hub.model import Json, read_json, write_json
from hub.testing.case import Mismatch, known, need, part, same, short

CALL = ("method", "path", "params", "headers", "json", "form", "body", "answer")
ANSWER = ("status", "headers", "json", "body", "fault")
FAULTS = ("cut", "hang", "refuse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    raw_path: str
    params: dict[str, Json]
    headers: Mapping[str, str]
    body: bytes


class Provider:
    """Answers the calls in their order; a call too many is answered 599.

    Args:
        calls: As in a fixture.
        base: The base URL of the settings; its path stays, its host becomes this server's.
    """

    def __init__(self, calls: Sequence[Mapping[str, Json]], base: str) -> None:
        self.calls, self.asked = list(calls), list[Asked]()
        self._prefix = urlsplit(base).path.rstrip("/")
        self._over = asyncio.Event()
        app = web.Application(client_max_size=32 << 20)
        app.router.add_route("*", "/{any:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await self._site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self._prefix}"
        await self._refuse_if_next()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._runner.cleanup()

    def compare(self) -> None:
        """Raise Mismatch unless exactly the fixture's calls were made."""
        for i, (call, asked) in enumerate(zip(self.calls, self.asked, strict=False)):
            _compare(f"call {i} ({call.get('method')} {call.get('path')})", call, asked)
        due = [f"{c.get('method')} {c.get('path')}" for c in self.calls if _fault(c) != "refuse"]
        raw = [f"{one.method} {one.raw_path}" for one in self.asked]
        plain = [f"{one.method} {one.path}" for one in self.asked]
        made = [two if two in due else one for one, two in zip(plain, raw, strict=True)]
        same("calls made", due, made)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await self._read(request))
        if len(self.asked) > len(self.calls):
            return web.Response(status=599, text="no such call in the fixture")
        answer = self.calls[len(self.asked) - 1].get("answer", {})
        if answer.get("fault") == "hang":
            await self._over.wait()
        if answer.get("fault") == "cut" and request.transport is not None:
            request.transport.abort()
        response = _response(answer)
        if await self._refuse_if_next():
            response.force_close()
        return response

    async def _read(self, request: web.Request) -> Asked:
        return Asked(
            method=request.method,
            path=request.path.removeprefix(self._prefix),
            raw_path=request.rel_url.raw_path.removeprefix(self._prefix),
            params=_grouped(request.query.items()),
            headers=request.headers,
            body=await request.read(),
        )

    async def _refuse_if_next(self) -> bool:
        """Stop listening where the next call is to be refused."""
        rest = self.calls[len(self.asked) :]
        refuse = bool(rest) and _fault(rest[0]) == "refuse"
        if refuse:
            await self._site.stop()
        return refuse


def check_calls(calls: Sequence[Mapping[str, Json]]) -> None:
    """Raise Mismatch where a fixture's calls have keys or faults that nothing reads."""
    for i, call in enumerate(calls):
        known(f"call {i}", call, CALL)
        known(f"answer of call {i}", call.get("answer", {}), ANSWER)
        need(_fault(call) in (None, *FAULTS), f"call {i}: a fault is one of {FAULTS}")
        need("method" in call and "path" in call, f"call {i} has no method or no path")


def _compare(what: str, call: Mapping[str, Json], asked: Asked) -> None:
    same(f"{what}: method", call["method"], asked.method)
    if call["path"] != asked.raw_path:
        same(f"{what}: path", call["path"], asked.path)
    if "params" in call:
        same(f"{what}: params", call["params"], asked.params)
    headers = {name: asked.headers.get(name) for name in call.get("headers", {})}
    part(f"{what}: headers", call.get("headers", {}), headers)
    if "json" in call:
        same(f"{what}: json", call["json"], _json(what, asked.body))
    if "form" in call:
        pairs = parse_qsl(asked.body.decode(), keep_blank_values=True)
        same(f"{what}: form", call["form"], _grouped(pairs))
    if "body" in call:
        same(f"{what}: body", call["body"], asked.body.decode(errors="replace"))


def _json(what: str, body: bytes) -> Json:
    try:
        return read_json(body)
    except ValueError as error:
        raise Mismatch(f"{what}: the body is no JSON: {short(body)}") from error


def _response(answer: Mapping[str, Json]) -> web.Response:
    body = answer.get("body", "").encode()
    headers = dict(answer.get("headers", {}))
    if "json" in answer:
        body = write_json(answer["json"])
        headers.setdefault("Content-Type", "application/json")
    return web.Response(status=int(answer.get("status", 200)), body=body, headers=headers)


def _fault(call: Mapping[str, Json]) -> Any:
    return call.get("answer", {}).get("fault")


def _grouped(pairs: Any) -> dict[str, Json]:
    """Give pairs as a dict; a name that comes more than once has a list."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
