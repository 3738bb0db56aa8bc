"""A reload changes all or nothing; what is in flight ends on what it began with."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.demo.ground import prepare
from hub.errors import ConfigError
from hub.model import Event
from hub.serving import hangups, running
from hub.shop.vocabulary import VOCABULARY
from hub.watching import signature, watch
from store import configs
from store.ceilings import PAUSED
from store.keys import create_key
from store.schema import jobs
from tests.e2e.stage import free_port

SHIPPED = Path(__file__).parents[2]


class House:
    """A hub on a file that can be changed."""

    def __init__(self, home: Path) -> None:
        ground = prepare(home, listen=f"127.0.0.1:{free_port()}", base="http://127.0.0.1:9")
        self.file, self.url = ground.config, f"http://{ground.listen}"
        self.hub = Hub(self.read(), read=self.read)

    def read(self) -> configuration.Config:
        return configuration.load(self.file, env={}, shop=VOCABULARY)

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, 1))

    async def history(self) -> list[dict[str, Any]]:
        async with self.hub.store.read() as connection:
            return await configs.recent(connection, 50)

    async def key(self, role: str) -> dict[str, str]:
        made = await self.hub.store.write(lambda tx: create_key(tx, role, "test"))
        return {"Authorization": f"Bearer {made['key']}"}

    async def ask(self, method: str, path: str, role: str, body: Any = None) -> tuple[int, Any]:
        headers = await self.key(role)
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, self.url + path, json=body) as answer,
        ):
            text = await answer.text()
            return answer.status, json.loads(text) if text[:1] == "{" else text

    async def sell(self) -> None:
        order = json.loads((SHIPPED / "mappings/library/fixtures/order_paid.json").read_text())
        told = {"type": "shop.order.paid", "schema": "shop.order@1", "data": {"order": order}}
        await self.hub.store.write(lambda tx: tx.emit(Event(at=tx.now, **told)))

    async def state(self, route: str, met: Callable[[Any], bool]) -> tuple[str, int]:
        """Give a job's state and attempts, once it is as it should be."""
        async with asyncio.timeout(10):
            while True:
                async with self.hub.store.read() as connection:
                    found = await connection.execute(select(jobs).where(jobs.c.route == route))
                row = found.one()
                if met(row):
                    return row.state, row.attempt
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    async with running(made.hub):
        yield made


async def test_only_what_has_changed_is_made_anew(house: House) -> None:
    before = house.hub.fitted
    house.change("type: segment", "type: segment\n    concurrency: 3")
    after = await house.hub.reloads.reload("test")
    assert after is house.hub.fitted
    assert after.config.hash != before.config.hash
    assert after.accounts["stripe"] is before.accounts["stripe"]
    assert after.accounts["segment"] is not before.accounts["segment"]
    gate = before.accounts["segment"].gate
    assert house.hub.runner.gates["segment"] is after.accounts["segment"].gate is gate
    assert gate.slots == 3


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("type: segment", "type: segmnt", "connector.type"),
        ("version: 1", "version: 1\nversion: 1", "yaml.duplicate"),
        ("  encryption_keys", "  pool: 8\n  encryption_keys", "reload.restart"),
        ("public_url", "lease: 90s, public_url", "reload.restart"),
        ("currencies: [EUR]", "currencies: EUR", "value.type"),
    ],
)
async def test_a_bad_file_changes_nothing_and_is_told(house: House, old, new, code) -> None:
    before = house.hub.fitted
    house.change(old, new)
    with pytest.raises(ConfigError, match=code.replace(".", r"\.")):
        await house.hub.reloads.reload("test")
    assert house.hub.fitted is before
    shown = house.hub.reloads.shown()
    assert shown["hash"] == before.config.hash
    assert [fault["code"] for fault in shown["rejected"]["faults"]] == [code]
    assert [row["what"] for row in await house.history()] == ["rejected", "started"]
    house.change(new, old)
    await house.hub.reloads.reload("test")
    assert house.hub.reloads.shown()["rejected"] is None


async def test_a_restart_fault_names_its_line_and_shows_no_source(house: House) -> None:
    house.change("/hub.db", "/other.db")
    with pytest.raises(ConfigError) as caught:
        await house.hub.reloads.reload("test")
    (fault,) = caught.value.faults
    lines = house.file.read_text().splitlines()
    assert (fault.code, fault.text) == ("reload.restart", "store.url needs a restart")
    assert lines[fault.line - 1].strip().startswith("url:")
    assert fault.source == ""


async def test_a_connector_that_does_not_open_leaves_the_old_one(house: House, monkeypatch) -> None:
    closed: list[str] = []

    async def broken(self) -> None:
        raise RuntimeError("no such certificate")

    async def close(self) -> None:
        closed.append(self.name)

    before = house.hub.fitted
    house.change("type: segment", "type: segment\n    concurrency: 3")
    house.change("type: hubspot", "type: hubspot\n    concurrency: 3")
    kind = before.accounts["segment"].connector.__class__
    monkeypatch.setattr(kind, "open", broken)
    monkeypatch.setattr(before.accounts["hubspot"].connector.__class__, "close", close)
    with pytest.raises(ConfigError, match=r"connector\.open"):
        await house.hub.reloads.reload("test")
    assert house.hub.fitted is before
    assert closed == ["hubspot"]  # the new one, that was open already


async def test_what_is_in_use_is_closed_only_when_it_ends(house: House, monkeypatch) -> None:
    old = house.hub.fitted.accounts["segment"]
    closed = asyncio.Event()

    async def close(self) -> None:
        closed.set()

    monkeypatch.setattr(old.connector.__class__, "close", close)
    with old.in_use():
        house.change("type: segment", "type: segment\n    concurrency: 3")
        await house.hub.reloads.reload("test")
        await asyncio.sleep(0)
        assert not closed.is_set()
    await house.hub.reloads.close()
    assert closed.is_set()


async def test_the_gate_of_a_connector_that_is_gone_is_shut(house: House) -> None:
    text = house.file.read_text()
    head, _, tail = text.partition("  segment:\n")
    assert tail
    house.file.write_text(head.replace("include:", "# include:"))
    await house.hub.reloads.reload("test")
    assert "segment" not in house.hub.fitted.accounts
    assert house.hub.runner.gates["segment"].room(house.hub.clock.now()) == 0
    house.file.write_text(text)
    await house.hub.reloads.reload("test")
    assert house.hub.runner.gates["segment"].room(house.hub.clock.now()) > 0


async def test_staff_see_what_runs_and_an_admin_reloads(house: House) -> None:
    for role, status in (("readonly", 200), ("support", 200), ("shop", 403)):
        assert (await house.ask("GET", "/v1/config", role))[0] == status
        assert (await house.ask("GET", "/readyz?details", role))[0] == status
        assert (await house.ask("POST", "/v1/config/reload", role, {}))[0] == 403
    house.change("currencies: [EUR]", "currencies: [EUR, CHF]")
    status, shown = await house.ask("POST", "/v1/config/reload", "admin", {})
    assert status == 200
    assert shown["hash"] == house.hub.config.hash
    house.change("currencies: [EUR, CHF]", "currencis: [EUR]")
    status, told = await house.ask("POST", "/v1/config/reload", "admin", {})
    assert (status, told["code"]) == (400, "validation_error")
    assert {error["code"] for error in told["errors"]} == {"key.unknown", "key.missing"}
    _, ready = await house.ask("GET", "/readyz?details", "readonly")
    assert ready["ready"] is True
    assert ready["config"]["hash"] == shown["hash"]
    assert len(ready["config"]["rejected"]["faults"]) == 2
    _, history = await house.ask("GET", "/v1/config/history", "readonly")
    assert [row["what"] for row in history["items"]] == ["rejected", "reloaded", "started"]


async def test_strangers_see_no_details(house: House) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{house.url}/readyz?details") as answer:
            assert answer.status == 401
        async with http.get(f"{house.url}/readyz") as answer:
            assert await answer.text() == "ok\n"


async def test_sighup_reloads(house: House) -> None:
    house.change("currencies: [EUR]", "currencies: [EUR, CHF]")
    with hangups(house.hub):
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: house.hub.config.shop.currencies == ("EUR", "CHF"))


async def test_a_job_keeps_the_hash_of_the_configuration_that_wrote_it(house: House) -> None:
    router = house.hub.fitted.router
    assert router.config == house.hub.config.hash


# -- a route's pause -------------------------------------------------------------------------------
async def test_a_paused_route_keeps_its_jobs_and_goes_on_when_the_pause_ends(house: House) -> None:
    shipped, own = SHIPPED / "config/routes.yaml", house.file.with_name("routes.yaml")
    text = shipped.read_text()
    house.change(str(shipped), str(own))
    name = "- name: order-analytics\n"
    own.write_text(text.replace(name, f"{name}    paused: true\n"))
    await house.hub.reloads.reload("test")
    await house.sell()
    assert await house.state("order-analytics", lambda row: row.prio >= PAUSED) == ("r", 0)
    await house.state("order-contact", lambda row: row.attempt > 0)
    own.write_text(text)
    await house.hub.reloads.reload("test")
    await house.state("order-analytics", lambda row: row.attempt > 0)


async def test_a_connector_that_goes_with_jobs_still_to_do_is_told(house: House) -> None:
    shipped, own = SHIPPED / "config/routes.yaml", house.file.with_name("routes.yaml")
    text = shipped.read_text()
    own.write_text(text)
    house.change(str(shipped), str(own))
    await house.hub.reloads.reload("test")
    assert house.hub.reloads.shown()["warnings"] == []
    await house.sell()
    await house.state("order-analytics", lambda row: row.failures > 0)
    house.change("  segment:\n", "  elsewhere:\n")
    own.write_text(text.replace("do: segment.", "do: elsewhere."))
    status, told = await house.ask("POST", "/v1/config/reload", "admin", {})
    assert status == 200, told
    [warning] = told["warnings"]
    assert warning["code"] == "connector.in_use"
    assert warning["text"] == "'segment' is gone but has 1 live job; they are held"
    assert house.file.read_text().splitlines()[warning["line"] - 1] == "connectors:"


# -- the watch -------------------------------------------------------------------------------------
async def test_a_change_is_told_once_it_keeps_still(tmp_path: Path) -> None:
    clock, told = ManualClock(), []
    file = tmp_path / "config.yaml"
    file.write_text("a")

    async def changed() -> None:
        told.append(file.read_text())

    def look():
        looks.append(clock.now())
        return signature([str(file)])

    looks: list[Any] = []
    watching = asyncio.create_task(watch(clock, look, changed))
    await until(lambda: len(looks) == 1)
    for text in ("half", "half of it", "whole"):
        file.write_text(text)
        count = len(looks)
        await tick(clock, 0.5, lambda count=count: len(looks) > count)
    assert told in ([], ["half"], ["half of it"])
    for _ in range(3):
        count = len(looks)
        await tick(clock, 0.5, lambda count=count: len(looks) > count)
    assert told[-1] == "whole"
    count = len(told)
    for _ in range(3):
        looked = len(looks)
        await tick(clock, 0.5, lambda looked=looked: len(looks) > looked)
    assert len(told) == count
    watching.cancel()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():
            await asyncio.sleep(0.01)


async def tick(clock: ManualClock, seconds: float, met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():
            clock.advance(seconds)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["written", "replaced", "linked", "added", "removed"])
def test_every_way_of_changing_a_file_shows(tmp_path: Path, how: str) -> None:
    home = tmp_path / "conf"
    (home / "routes.d").mkdir(parents=True)
    file = home / "config.yaml"
    (tmp_path / "one.yaml").write_text("a: 1")
    (tmp_path / "two.yaml").write_text("a: 2")
    if how == "linked":  # as Kubernetes mounts a ConfigMap
        (home / "now").symlink_to(tmp_path / "one.yaml")
        file.symlink_to("now")
    else:
        file.write_text("a: 1")
    (home / "routes.d/a.yaml").write_text("b: 1")
    before = signature([str(file)])
    assert before == signature([str(file)])
    if how == "written":
        file.write_text("a: 12")
    elif how == "replaced":
        (tmp_path / "two.yaml").replace(file)
    elif how == "linked":
        (home / "next").symlink_to(tmp_path / "two.yaml")
        (home / "next").replace(home / "now")
    elif how == "added":
        (home / "routes.d/b.yaml").write_text("c: 1")
    else:
        (home / "routes.d/a.yaml").unlink()
    assert signature([str(file)]) != before
