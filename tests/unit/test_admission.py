"""What is turned away before the hub is lost, and what is let in all the same."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.admission import Admission
from hub.clock import SystemClock
from hub.config.settings import Limits
from hub.errors import Refused
from hub.secrets import Secret
from store.crypto import new_key
from store.store import Store

KIB = 1 << 10


@dataclass
class Machine:
    """What the hub runs on, as it is said to be."""

    limits: Limits = field(default_factory=lambda: Limits.model_validate({"in_flight": "4KiB"}))
    waits: float = 0.0
    left: int | None = None

    def admission(self) -> Admission:
        return Admission(lambda: self.limits, waits=lambda: self.waits, room=lambda: self.left)


@asynccontextmanager
async def served(admission: Admission, step: Callable[[], object]) -> AsyncIterator[TestClient]:
    async def handle(request: web.Request) -> web.Response:
        try:
            with admission.carrying(request):
                await request.read()
                await step()
        except Refused as no:
            return web.Response(status=503, text=f"{no.detail}, {no.extra['retry_after']}")
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_bodies_in_flight_are_bounded_and_one_too_large_for_the_bound_still_goes() -> None:
    here, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        here.set()
        await go_on.wait()

    admission = Machine().admission()
    async with served(admission, wait) as client:
        first = asyncio.create_task(client.post("/", data=b"x" * 5 * KIB))
        await here.wait()
        refused = await client.post("/", data=b"x")
        assert (refused.status, await refused.text()) == (503, "no room: memory, 1")
        assert admission.carried == 5 * KIB
        go_on.set()
        assert (await first).status == 200
        assert (await client.post("/", data=b"x")).status == 200
    assert admission.carried == 0


async def test_a_body_that_does_not_say_its_size_counts_as_the_largest() -> None:
    counted: list[int] = []

    async def note() -> None:
        counted.append(admission.carried)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    machine = Machine()
    admission = machine.admission()
    async with served(admission, note) as client:
        assert (await client.post("/", data=pieces())).status == 200
    assert counted == [machine.limits.body]


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (Machine(waits=5.1), "store"),
        (Machine(waits=4.9), None),
        (Machine(left=(256 << 20) - 1), "disk"),
        (Machine(left=256 << 20), None),
        (Machine(limits=Limits.model_validate({"backlog_age": "1h"})), "backlog"),
        (Machine(), None),
    ],
)
async def test_each_limit_is_kept_to_the_last(machine, why) -> None:
    admission = machine.admission()
    admission.look(3601.0)
    assert admission.full() == why


async def test_a_disk_that_has_room_again_is_noticed() -> None:
    machine = Machine(left=0)
    admission = machine.admission()
    assert admission.full() == "disk"
    machine.left = 1 << 30
    admission.look(0.0)
    assert admission.full() is None


async def test_the_writer_says_how_long_somebody_has_waited(tmp_path: Path) -> None:
    store = await Store.open(
        f"sqlite:///{tmp_path}/hub.db", keys=[Secret(new_key())], clock=SystemClock(), served=True
    )
    assert store.writer.waits() == 0.0
    stuck, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        stuck.wait()

    first = asyncio.create_task(store.write(hold))
    await begun.wait()
    second = asyncio.create_task(store.write(lambda _: None))
    before = store.writer.waits()
    async with asyncio.timeout(10):
        while store.writer.waits() <= before:
            await asyncio.sleep(0)
    stuck.set()
    await asyncio.gather(first, second)
    await asyncio.sleep(0)  # the loop tells who waits, then forgets
    assert store.writer.waits() == 0.0
    await store.close()
