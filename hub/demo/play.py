"""Playing the main job: an order, its payment, a signed webhook, and everyone told exactly once."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from hub import config as configuration
from hub.app import Hub
from hub.demo.buyer import Buyer
from hub.demo.ground import prepare
from hub.demo.show import Steps, show_timeline, show_urls, wide
from hub.doubles import application, double
from hub.sandbox import Double
from hub.serving import running, until_stopped
from hub.shop.vocabulary import VOCABULARY
from store.keys import create_key

PROVIDERS = ("stripe", "hubspot", "sendgrid", "segment")
DONE = "\nEvery job is done: each was called under its own key, and no one was told twice.\n"
NOT_DONE = "\n[red]Not every job is done:[/] `hub jobs --state dead` says why.\n"


async def play(home: Path, *, address: str, serve: bool) -> bool:
    """Play one order; say whether everything ended well.

    Args:
        address: The hub's host:port; port 0 takes a free one.
        serve: Go on serving until told to stop.
    """
    console = wide()
    address = _free(address)
    doubles = {kind: double(kind) for kind in PROVIDERS}
    async with _sandbox(doubles) as base:
        ground = prepare(home, listen=address, base=base)
        for kind, secret in ground.signing.items():
            doubles[kind].send_to(ground.webhook_url(kind), secret)
        environment = {k: v for k, v in os.environ.items() if k != "HUB_LISTEN"}
        config = configuration.load(ground.config, env=environment, shop=VOCABULARY)
        async with running(Hub(config)) as hub:
            key = await hub.store.write(lambda tx: create_key(tx, "admin", "demo"))
            async with Buyer(f"http://{address}", base, key["key"]) as buyer:
                with Steps(console) as steps:
                    order, good = await buyer.play(steps)
                show_timeline(console, await buyer.timeline(order))
            console.print(DONE if good else NOT_DONE)
            if serve:
                show_urls(console, f"http://{address}", base, ground.config, key["key"], order)
                await until_stopped()
            return good


@asynccontextmanager
async def _sandbox(doubles: dict[str, Double]) -> AsyncIterator[str]:
    runner = web.AppRunner(application(doubles), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _free(address: str) -> str:
    """Give the address with a port: the providers must know where to send before the hub binds."""
    host, _, port = address.rpartition(":")
    if port != "0":
        return address
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"
