"""`hub plan` over a thousand orders: only what changed is shown, and providers hear nothing."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from hub.cli import ground
from hub.demo import ground as demo
from hub.doubles import application, double
from hub.model import Event, read_json
from store import reads

ROOT = Path(__file__).parent.parent.parent
LIBRARY = ROOT / "mappings" / "library"
COUNT = 1000


async def hub(home, *words):
    """Run a command as a process of its own; give its exit code and what it said."""
    env = os.environ | {"HUB_CONFIG": str(home / "config.yaml")}
    pipe = asyncio.subprocess.PIPE
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", *words, cwd=ROOT, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await made.communicate()
    return made.returncode, out.decode(), err.decode()


async def seen(home, *words):
    """Run a command whose standard error is a terminal; give what it showed there."""
    ours, theirs = os.openpty()
    env = os.environ | {"HUB_CONFIG": str(home / "config.yaml"), "TERM": "xterm"}
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", *words,
        cwd=ROOT, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = await asyncio.to_thread(_all_of, ours)
    assert await made.wait() == 0
    return shown


def _all_of(terminal):
    shown = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):
        while more := file.read(4096):  # a terminal whose other end is closed is an OSError
            shown += more
    return shown.decode()


def own(value, n):
    """Give an order prices of its own, so that no two have the same text in common."""
    if isinstance(value, list):
        return [own(item, n) for item in value]
    if not isinstance(value, dict):
        return value
    more = {"amount": value["amount"] + n} if isinstance(value.get("amount"), int) else {}
    return {key: own(item, n) for key, item in value.items()} | more


async def filled(home):
    """Keep a thousand paid orders; every tenth has a number that ends in 7."""
    order = read_json((LIBRARY / "fixtures" / "order_paid.json").read_bytes())
    config = ground.load(home / "config.yaml")
    async with ground.opened(replace(config, routes=())) as store:

        def told(tx, numbers):
            for n in numbers:
                data = {"order": own(order, n * 10) | {"id": f"ord_{n}", "number": str(n)}}
                tx.emit(Event(type="shop.order.paid", at=tx.now, data=data, schema="shop.order@1"))

        for start in range(0, COUNT, 100):
            await store.change(told, range(start, start + 100))


async def counted(home):
    """Count the jobs there are."""
    store = ground.opened(ground.load(home / "config.yaml"))
    async with store as opened, opened.read() as connection:
        return await reads.counts(connection)


def changed(home):
    """Let a second configuration give other names to deals whose number ends in 7."""
    text = (LIBRARY / "order-to-hubspot-deal.yaml").read_text().partition("tests:")[0]
    name = "\"{{ 'Seven' if (order.number | int) % 10 == 7 else 'Order ' ~ order.number }}\""
    (home / "deal.yaml").write_text(text.replace('"Order {{ order.number }}"', name))
    old = (home / "config.yaml").read_text()
    new = old.replace("include: [", f'include: ["{home}/deal.yaml", ')
    assert new != old
    (home / "new.yaml").write_text(new)


async def test_a_thousand_events_show_exactly_the_changed_payloads_and_nobody_is_told(tmp_path):
    made = {kind: double(kind) for kind in ("stripe", "hubspot", "sendgrid", "segment")}
    runner = web.AppRunner(application(made))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        demo.prepare(tmp_path, listen="127.0.0.1:1", base=f"http://{host}:{port}")
        assert (await hub(tmp_path, "migrate"))[0] == 0
        await filled(tmp_path)
        before = await counted(tmp_path)
        changed(tmp_path)
        code, out, err = await hub(tmp_path, "plan", str(tmp_path / "new.yaml"), "--json")
        assert (code, err) == (0, "")
        routes = json.loads(out)["routes"]
        assert {name: route["changed"] for name, route in routes.items() if route["changed"]} == {
            "order-deal": 100
        }
        told = routes["order-deal"]["events"]
        assert {field["path"] for one in told for field in one["fields"]} == {
            "input.properties.dealname"
        }
        assert all(one["fields"][0]["new"] == "Seven" for one in told)
        assert sum(route["same"] for route in routes.values()) == COUNT * 6 - 100
        assert "comparing" in await seen(tmp_path, "plan", str(tmp_path / "new.yaml"))
        assert await counted(tmp_path) == before == {}
        assert [one.state.ledger for one in made.values()] == [[] for _ in made]
        assert [one.state.calls for one in made.values()] == [[] for _ in made]
    finally:
        await runner.cleanup()
