"""The limits of the machine: plain aiohttp servers and a plain client, which keep nothing.

    python -m bench.plain MODE PORT TARGET_PORT

`hello` answers; `verify` reads the body and checks its signature; `decode` reads its JSON as well;
`whole` makes three calls, then answers; `client` makes as many calls as it is told to, in a loop.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
import uvloop
from aiohttp import web

from bench.load import SECRET
from bench.served import ACCOUNTS
from connectors.stripe import inbound
from hub.clock import SystemClock
from hub.model import Request

CLOCK = SystemClock()
Answering = Callable[[web.Request], Awaitable[web.Response]]
OK = b'{"stored":true}'


def _ok() -> web.Response:
    return web.Response(body=OK, content_type="application/json")


async def _hello(_: web.Request) -> web.Response:
    return _ok()


async def _verified(asked: web.Request) -> bytes:
    body, now = await asked.read(), CLOCK.now()
    request = Request(method="POST", url="", headers=asked.raw_headers, body=body, received_at=now)
    inbound.verify(request, SECRET, now=now.timestamp())
    return body


async def _verify(asked: web.Request) -> web.Response:
    await _verified(asked)
    return _ok()


async def _decode(asked: web.Request) -> web.Response:
    msgspec.json.decode(await _verified(asked))
    return _ok()


def _whole(session: aiohttp.ClientSession, target: str) -> Answering:
    async def answer(asked: web.Request) -> web.Response:
        thing = msgspec.json.decode(await _verified(asked))["data"]["object"]
        sent = {name: thing[name] for name in ("id", "email", "name", "field_1")}
        await asyncio.gather(*(_put(session, f"{target}/{name}", sent) for name in ACCOUNTS))
        return _ok()

    return answer


async def _put(session: aiohttp.ClientSession, url: str, sent: dict[str, str]) -> None:
    body = json.dumps(sent).encode()
    headers = {"Content-Type": "application/json"}
    async with session.put(url, data=body, headers=headers) as answer:
        await answer.read()


def _client(session: aiohttp.ClientSession, target: str) -> Answering:
    async def answer(asked: web.Request) -> web.Response:
        left = iter(range(int(asked.headers["X-Calls"])))

        async def one() -> None:
            for n in left:
                sent = {"id": str(n), "email": "a@example.com", "name": "Ann", "field_1": "x" * 65}
                await _put(session, f"{target}/crm", sent)

        await asyncio.gather(*(one() for _ in range(64)))
        return _ok()

    return answer


async def main(mode: str, port: int, target: int) -> None:
    """Serve until ended."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as session:
        url = f"http://127.0.0.1:{target}"
        modes: dict[str, Answering] = {
            "hello": _hello, "verify": _verify, "decode": _decode,
            "whole": _whole(session, url), "client": _client(session, url),
        }  # fmt: skip
        app = web.Application()
        app.router.add_post("/webhooks/stripe", modes[mode])
        app.router.add_get("/ready", _hello)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    bare = name.removesuffix("-asyncio")
    made = asyncio.new_event_loop if bare != name else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=made) as its:
        its.run(main(bare, *map(int, rest)))
