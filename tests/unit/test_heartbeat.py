"""The heartbeat is called while the hub is well; whatever becomes of the call ends nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.alerting import Heartbeat
from hub.clock import ManualClock
from hub.heartbeat import Beats
from hub.http import Outbound
from hub.secrets import Secret


class Watcher:
    """Counts what it hears, and answers as told."""

    heard = 0
    status = 200

    async def hear(self, request: web.Request) -> web.Response:
        self.heard += 1
        assert request.path == "/ping/CANARY-token"
        return web.Response(status=self.status)


@pytest.fixture
async def at() -> AsyncIterator[tuple[Beats, Watcher, Heartbeat]]:
    watcher, app = Watcher(), web.Application()
    app.router.add_get("/ping/{token}", watcher.hear)
    server = TestServer(app)
    await server.start_server()
    beat = Heartbeat(
        url=Secret(str(server.make_url("/ping/CANARY-token")), "BEAT"),
        every=timedelta(minutes=1),
        allow_private=(ip_network("127.0.0.0/8"),),
    )
    clock = ManualClock()
    async with Outbound(clock) as outbound:
        made = Beats(outbound, lambda: beat, hindered=lambda: None, clock=clock)
        yield made, watcher, beat
    await server.close()


async def test_it_is_called_every_so_often_and_a_failure_ends_nothing(at) -> None:
    beats, watcher, _ = at
    forever = asyncio.create_task(beats.forever())
    for n, status in enumerate((200, 500, 404, 200), 1):
        watcher.status = status
        while watcher.heard < n:
            await asyncio.sleep(0)
            beats.clock.advance(1)
    assert not forever.done()
    forever.cancel()
    await asyncio.gather(forever, return_exceptions=True)


async def test_a_failure_is_logged_without_the_address(at) -> None:
    beats, watcher, _ = at
    watcher.status = 500
    with structlog.testing.capture_logs() as said:
        assert await beats.once() is False
    assert [one["event"] for one in said] == ["heartbeat not taken"]
    assert "CANARY" not in str(said)


async def test_a_hub_that_is_not_well_is_not_told_to_be(at) -> None:
    beats, watcher, _ = at
    beats.hindered = lambda: "draining"
    assert await beats.once() is False
    assert watcher.heard == 0


async def test_a_reload_may_stop_it_or_send_it_elsewhere(at) -> None:
    beats, watcher, beat = at
    assert await beats.once()
    beats.wanted = lambda: replace(beat, url=Secret("http://127.0.0.1:9/ping", "BEAT"))
    assert await beats.once() is False
    beats.wanted = lambda: None
    assert await beats.once() is False
    assert watcher.heard == 1
