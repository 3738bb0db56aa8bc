"""What every engine's file needs: where things are, and the one call that each job makes."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

import aiohttp

DATABASE = os.environ["PEER_DATABASE"]
REDIS = os.environ["PEER_REDIS"]
TARGET = os.environ["PEER_TARGET"]
AT_ONCE = 64
_sessions: dict[int, aiohttp.ClientSession] = {}


async def call(n: int) -> None:
    """Make job n's call."""
    loop = id(asyncio.get_running_loop())
    if loop not in _sessions:
        _sessions[loop] = aiohttp.ClientSession()
    body = json.dumps({"n": n, "email": "ann@example.com", "name": "Ann Example"}).encode()
    headers = {"Content-Type": "application/json"}
    async with _sessions[loop].put(f"{TARGET}/crm", data=body, headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


def main(fill: Callable[[int], Awaitable[None]], work: Callable[[], Awaitable[None]]) -> None:
    """Do what the command line says: `fill COUNT` or `work`."""
    asyncio.run(fill(int(sys.argv[2])) if sys.argv[1] == "fill" else work())
