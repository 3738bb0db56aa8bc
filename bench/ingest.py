"""Signed webhooks in: a bare aiohttp server beside the hub's door, on one loop with its client."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import ClientSession, web

from bench.rounds import Rate, interleave
from connectors.stripe import Stripe
from hub.clock import SystemClock
from hub.config.instances import WebhookSecret
from hub.routing import Router
from hub.secrets import Secret
from store.crypto import new_key
from store.store import Store
from webhooks.doors import Door
from webhooks.receive import Receiver

SECRET = Secret("whsec_benchmark_secret", "bench")
CONNECTIONS = 32


async def ingest(folder: Path, count: int, rounds: int) -> list[Rate]:
    """Compare a bare echo, and verified, deduplicated, durable webhooks (SQLite FULL)."""
    clock = SystemClock()
    store = await Store.open(
        f"sqlite:///{folder}/ingest.db", keys=[Secret(new_key())], clock=clock, served=True
    )
    stripe = Stripe("stripe", None, None, "http://127.0.0.1/webhooks/stripe")
    receiver = Receiver(
        store,
        {"stripe": Door(stripe, (WebhookSecret(value=SECRET),))},
        route=Router([]).jobs_for,
        clock=clock,
    )
    app = web.Application()
    app.add_routes([web.post("/bare", _bare), web.post("/webhooks/{name}", receiver.post)])
    runner = web.AppRunner(app, auto_decompress=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0][:2])
    bodies = _bodies()
    async with ClientSession() as session:

        async def send(path: str) -> int:
            signed = [_signed(stripe, next(bodies)) for _ in range(count)]
            await _all(session, url + path, signed)
            return count

        found = await interleave(
            {
                "bare aiohttp server (nothing kept)": lambda: send("/bare"),
                "the hub's door (durable, SQLite FULL)": lambda: send("/webhooks/stripe"),
            },
            rounds,
        )
    await runner.cleanup()
    await store.close()
    return found


async def _bare(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(text="ok")


def _bodies() -> Iterator[bytes]:
    """Make distinct events of about 2 kB, so that none is a duplicate."""
    made = int(datetime.now(UTC).timestamp())
    number = 0
    while True:
        number += 1
        thing = {"id": f"pi_{number}", "object": "payment_intent", "amount": 100, "pad": "x" * 1800}
        event = {
            "id": f"evt_{time.time_ns()}_{number}", "object": "event", "created": made,
            "livemode": False, "type": "payment_intent.created", "data": {"object": thing},
        }  # fmt: skip
        yield json.dumps(event).encode()


def _signed(stripe: Stripe, body: bytes) -> tuple[bytes, dict[str, str]]:
    return body, dict(stripe.sign(body, SECRET, now=time.time()))


async def _all(session: ClientSession, url: str, sent: list[tuple[bytes, dict[str, str]]]) -> None:
    waiting = iter(sent)

    async def one() -> None:
        for body, headers in waiting:
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"answered {answer.status}")

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
