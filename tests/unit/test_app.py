"""A hub's life: all of it starts or nothing, and /readyz tells when a part has stopped."""

import asyncio
import os
import socket
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.config import Config
from hub.demo.ground import prepare
from hub.errors import ConfigError
from hub.model import Event
from hub.pulse import Pulse
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store.crypto import new_key

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    ground = prepare(tmp_path, listen=listen, base="http://127.0.0.1:9")
    env = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    return configuration.load(ground.config, env=env, shop=VOCABULARY)


async def ready(config: Config, path: str = "/readyz") -> tuple[int, str]:
    listens = config.service.listen
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{listens.host}:{listens.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_a_hub_whose_address_is_taken_lets_go_of_its_store(config) -> None:
    listens = config.service.listen
    with socket.socket() as other:
        other.bind((listens.host, listens.port))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            async with running(Hub(config)):
                pass
    async with running(Hub(config)):
        assert await ready(config) == (200, "ok\n")


async def test_a_hub_whose_connector_does_not_open_lets_go_of_its_store(
    config, monkeypatch
) -> None:
    stripe = config.connectors["stripe"].cls

    async def broken(self) -> None:
        raise RuntimeError("no such certificate")

    with monkeypatch.context() as here:
        here.setattr(stripe, "open", broken)
        with pytest.raises(RuntimeError, match="certificate"):
            await Hub(config).start()
    async with running(Hub(config)):
        assert await ready(config) == (200, "ok\n")


async def test_requests_and_jobs_in_flight_share_one_grace(config, monkeypatch) -> None:
    clock, told = ManualClock(), []
    hub = Hub(config, clock=clock)
    await hub.start()
    end = hub.worker.stop

    async def stop(grace) -> None:
        told.append(grace)
        await end(timedelta())

    monkeypatch.setattr(hub.worker, "stop", stop)
    hub.drain()
    clock.advance(20)  # requests took as long
    await hub.stop()
    assert told == [config.service.shutdown_grace - timedelta(seconds=20)]


async def test_a_hub_that_goes_serves_on_until_balancers_know(config) -> None:
    clock = ManualClock()
    service = config.service.model_copy(update={"shutdown_delay": timedelta(seconds=5)})
    hub = Hub(replace(config, service=service), clock=clock)
    serves, told = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with running(hub):
            serves.set()
            await told.wait()

    living = asyncio.create_task(live())
    await serves.wait()
    told.set()
    while (await ready(config))[0] == 200:
        await asyncio.sleep(0)
    assert await ready(config) == (503, "draining\n")
    assert (await ready(config, "/livez"))[0] == 200
    assert (await ready(config, "/v1/orders"))[0] == 401  # it answers, as ever
    clock.advance(5)
    await living
    with pytest.raises(aiohttp.ClientConnectionError):
        await ready(config)


async def test_readyz_tells_of_a_duty_that_has_stopped(config) -> None:
    async with running(Hub(config)) as hub:
        hub.worker._duties[1].cancel()
        await asyncio.gather(hub.worker._duties[1], return_exceptions=True)
        assert await ready(config) == (503, "a duty has stopped\n")


async def test_readyz_tells_of_a_store_that_does_not_answer_and_livez_does_not(
    config, monkeypatch
) -> None:
    gone = True

    async def answer(_store) -> None:
        if gone:
            raise OSError("no route to host")

    monkeypatch.setattr("store.store.Store.answer", answer)
    monkeypatch.setattr("hub.pulse.BEAT", 0.01)
    async with running(Hub(config)) as hub:
        while hub.pulse.silent is None:
            await asyncio.sleep(0.01)
        assert await ready(config) == (503, "the store does not answer: OSError\n")
        assert (await ready(config, "/livez"))[0] == 200
        gone = False
        while hub.pulse.silent is not None:
            await asyncio.sleep(0.01)
        assert await ready(config) == (200, "ok\n")


async def test_livez_tells_of_a_loop_that_lags(config, monkeypatch) -> None:
    async with running(Hub(config)) as hub:
        monkeypatch.setattr(hub.pulse, "lag", lambda: 1.25)
        assert await ready(config, "/livez") == (503, "the event loop lags by 1.2 s\n")


async def test_the_pulse_measures_how_late_its_beats_are(monkeypatch) -> None:
    times = iter((10.0, 10.5, 20.0, 23.0))  # a beat in time, then one 2.5 s late
    beats = 0

    async def answer() -> None:
        nonlocal beats
        beats += 1
        if beats == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr("hub.pulse.time", SimpleNamespace(monotonic=lambda: next(times)))
    monkeypatch.setattr("hub.pulse.BEAT", 0.0)
    pulse = Pulse(answer)
    with pytest.raises(asyncio.CancelledError):
        await pulse.forever()
    assert pulse.lag() == 3.0


async def test_the_watch_on_neighbours_goes_on_after_an_error(config, monkeypatch) -> None:
    hub, failed = Hub(config), asyncio.Event()

    async def broken(_store, _connection) -> int:
        failed.set()
        raise RuntimeError("a bug")

    monkeypatch.setattr("store.store.Store.data_version", broken)
    async with running(hub):
        await failed.wait()
        await asyncio.sleep(0.05)
        assert await ready(config) == (200, "ok\n")


async def test_a_hub_with_another_encryption_key_does_not_serve_the_store(config, tmp_path) -> None:
    async with running(Hub(config)) as hub:
        event = Event(type="shop.cart.created", at=hub.clock.now(), data={})
        await hub.store.write(lambda tx: tx.emit(event))
    (tmp_path / "secrets" / "encryption_key").write_text(new_key())
    env = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    other = configuration.load(tmp_path / "config.yaml", env=env, shop=VOCABULARY)
    with pytest.raises(ConfigError, match=r"store\.key"):
        await Hub(other).start()
    async with running(Hub(config)):
        assert await ready(config) == (200, "ok\n")


@pytest.mark.parametrize("how", ["serve", "jobs"])
async def test_a_file_that_is_no_database_is_named(config, tmp_path, how) -> None:
    (tmp_path / "hub.db").write_bytes(bytes(range(1, 200)) * 50)
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", how, "--config", str(tmp_path / "config.yaml"),
        stderr=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    _, said = await done.communicate()
    assert done.returncode == 1
    assert b"Traceback" not in said
    assert b"error[store.open]" in said
    assert b"hub.db" in said
