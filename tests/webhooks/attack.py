"""Hostile callers, as a process of their own: until standard input ends, then what they were told.

python -m tests.webhooks.attack http://127.0.0.1:8080 '{"half": 500, "bombs": 10, "bad": 20}'
"""

import asyncio
import gzip
import json
import random
import sys
import time
import zlib
from collections import Counter
from io import BytesIO
from typing import Any

import aiohttp

from hub import Request, Secret
from webhooks.library import SCHEMES

MIB = 1 << 20
SECRET = "a-webhook-secret-0123456789"
HEAD = b"POST /webhooks/code HTTP/1.1\r\nHost: x\r\n"
HALF = (b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\nhalf a body")


def signed(body: bytes) -> dict[str, str]:
    """Sign as GitHub does."""
    bare = Request(method="POST", url="https://x/webhooks/code", headers=(), body=body)
    made = SCHEMES["github"].signer().sign(bare, Secret(SECRET), now=time.time())
    return {name.decode(): value.decode() for name, value in made.headers}


def bomb(size: int = 200 * MIB) -> bytes:
    """Pack zeros."""
    made = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join(made.compress(bytes(MIB)) for _ in range(size // MIB)) + made.flush()


class Attack:
    """Half-open connections kept up, and requests at a steady pace; all that is told is counted."""

    def __init__(self, url: str, *, half: int, bombs: float, bad: float) -> None:
        self.url, self.half, self.pace = url, half, (bombs, bad)
        self.told: Counter[str] = Counter()
        self.longest = 0.0
        self.packed = bomb()

    async def run(self) -> None:
        """Go on until cancelled."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for n in range(self.half):
                group.create_task(self._half_open(HALF[n % len(HALF)]))
            for pace, make in zip(self.pace, (self._bombs, self._bad), strict=True):
                if pace:
                    group.create_task(self._often(session, pace, make()))

    async def _half_open(self, head: bytes) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        await asyncio.sleep(random.random())
        while True:
            began = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(head)
                answer = await reader.read(12)
                while await reader.read(1024):
                    pass
                writer.close()
            except OSError:
                answer = b""
            said = answer[9:].decode() or "cut off"
            self.told[f"half open: {said}"] += 1
            self.longest = max(self.longest, time.monotonic() - began)

    async def _often(self, session: aiohttp.ClientSession, pace: float, kinds: Any) -> None:
        while True:
            name, body, headers = next(kinds)
            try:
                async with session.post(
                    f"{self.url}/webhooks/code", data=BytesIO(body), headers=headers
                ) as answer:
                    said = str(answer.status)
            except aiohttp.ClientError:
                said = "cut off"
            self.told[f"{name}: {said}"] += 1
            await asyncio.sleep(1 / pace)

    def _bombs(self) -> Any:
        coded = {"Content-Encoding": "gzip"}
        while True:
            yield "signed bomb", self.packed, coded | signed(self.packed)
            yield "bomb", self.packed, coded
            yield "2 MiB", bytes(2 * MIB), {}
            yield "odd coding", b"x", {"Content-Encoding": "br"}
            cut = gzip.compress(b"{}")[:-4]
            yield "cut gzip", cut, coded | signed(cut)

    def _bad(self) -> Any:
        wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
        while True:
            yield "bad signature", b'{"id":"x"}', wrong


async def main() -> None:
    """Attack until standard input ends."""
    attack = Attack(sys.argv[1], **json.loads(sys.argv[2]))
    task = asyncio.create_task(attack.run())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    json.dump({"told": attack.told, "longest": attack.longest}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
