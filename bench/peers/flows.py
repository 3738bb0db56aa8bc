"""A webhook in and three calls out, on the hub and on Node-RED: cost, memory, start, and a kill.

The hub verifies the signature and has committed the event with its three jobs before it answers.
Node-RED's flow answers at once, maps, and calls: it verifies nothing and keeps nothing, as it does
by itself. Its editor is off, and its calls keep their connections.
"""

import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.felt import SETTLED
from bench.load import Events, Target, closed, senders
from bench.peers.heard import BACK, Heard
from bench.rounds import turns
from bench.served import ACCOUNTS, HubServed, Served, Setting, free_port
from bench.whole import Rung, begin, measured, through

RED = Path(__file__).parent / ".node" / "node_modules" / "node-red" / "red.js"
STEP = 0.05
MAPPED = """\
const its = msg.payload.data.object;
msg.headers = {"content-type": "application/json"};
msg.payload = {id: its.id, email: its.email.trim().toLowerCase(), name: its.name,
               first: its.field_1, source: "shop"};
return msg;
"""


@dataclass(slots=True, kw_only=True)
class Flow:
    """What came of one of them.

    Attributes:
        acked: Webhooks answered with 200 before the kill.
        lost: Those of them whose three calls did not all come.
        twice: Calls that came more than once.
    """

    name: str
    keeps: str
    verifies: str
    starts: list[float] = field(default_factory=list)
    idle: float = 0.0
    loaded: float = 0.0
    rate: float = 0.0
    cpu_ms: float = 0.0
    acked: int = 0
    lost: int = 0
    twice: int = 0


class NodeRed(Served):
    """Node-RED with one flow."""

    program = "node"

    def __init__(self, home: Path, target: Target) -> None:
        home.mkdir()
        port = free_port()
        (home / "flows.json").write_text(json.dumps(_flow(target.port)))
        words = [str(RED), "--userDir", str(home), "--settings", str(home / "settings.js")]
        its = {"uiHost": "127.0.0.1", "uiPort": port, "flowFile": "flows.json",
               "httpAdminRoot": False, "telemetry": {"enabled": False},
               "logging": {"console": {"level": "error"}}}  # fmt: skip
        (home / "settings.js").write_text(f"module.exports = {json.dumps(its)};\n")
        super().__init__(words, home, port=port, ready="/ready", env={})


def _flow(target: int) -> list[dict[str, Any]]:
    """Give its nodes: answer, map, three calls."""
    url = f"http://127.0.0.1:{target}"
    calls = [_node(f"to-{name}", "http request", method="PUT", ret="txt", url=f"{url}/{name}",
                   persist=True) for name in ACCOUNTS]  # fmt: skip
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        _node("ready", "http in", "answer", url="/ready", method="get"),
        _node("in", "http in", "answer", "map", url="/webhooks/stripe", method="post"),
        _node("answer", "http response", statusCode="200", headers={}),
        _node("map", "function", *(call["id"] for call in calls), func=MAPPED, outputs=1),
        *calls,
    ]


def _node(ident: str, kind: str, *to: str, **its: Any) -> dict[str, Any]:
    return {"id": ident, "type": kind, "z": "tab", "wires": [list(to)] if to else [], **its}


def left_out() -> dict[str, str]:
    """Say what is not measured, and why."""
    missing = {
        "n8n": "npm cannot install it from its registry: one dependency lies at an address outside"
    }
    if shutil.which("node") is None:
        missing["Node-RED"] = "no node is installed"
    elif not RED.exists():
        missing["Node-RED"] = "npm could not install it"
    return missing


async def flows(home: Path, target: Target, count: int, rounds: int) -> list[Flow]:
    """Start each, load them in turns, then kill each."""
    events = Events()
    setting = Setting(store=f"sqlite:///{home}/flows.db", port=target.port)
    made: dict[str, Served] = {"hub": HubServed(home / "flows", setting)}
    found = {"hub": Flow(name="hub", keeps="SQLite, FULL", verifies="yes")}
    if "Node-RED" not in left_out():
        made["Node-RED"] = NodeRed(home / "node-red", target)
        found["Node-RED"] = Flow(name="Node-RED", keeps="nothing", verifies="no")
    await _started(made, found, events, rounds)
    async with AsyncExitStack() as ends:
        for one in made.values():
            begin(one, ends)
        rungs = [Rung(name=name, served=[one], work=partial(through, events, target, [one]))
                 for name, one in made.items()]  # fmt: skip
        for rate in await measured(rungs, count, rounds):
            its, one = found[rate.name], made[rate.name]
            its.rate, its.cpu_ms, its.loaded = rate.median, rate.cpu, one.memory()
        for name, one in made.items():
            its = found[name]
            its.acked, its.lost, its.twice = await _killed(one, events, target, count)
    return list(found.values())


async def _started(
    made: dict[str, Served], found: dict[str, Flow], events: Events, rounds: int
) -> None:
    """Start each several times, on what its first start has made."""
    for one in made.values():
        one.start()
        one.stop()
    for name in turns(list(made), rounds):
        one, begun = made[name], time.perf_counter()
        one.start()
        try:
            await closed([one.port], events.signed(1), 1)
            found[name].starts.append(time.perf_counter() - begun)
            await asyncio.sleep(SETTLED)
            found[name].idle = one.memory()
        finally:
            one.stop()


async def _killed(
    served: Served, events: Events, target: Target, count: int
) -> tuple[int, int, int]:
    """Kill it when half are answered, start it again; give those answered, lost, and twice."""
    heard, first = Heard(), events.number + 1
    target.heard = heard.note
    acked = await _until_killed(served, events.signed(count), count // 2)
    numbers = [first + n for n in acked]
    served.start()
    end = time.perf_counter() + BACK
    while heard.missing(ACCOUNTS, numbers) and time.perf_counter() < end:  # noqa: ASYNC110 -- in steps
        await asyncio.sleep(STEP)
    return len(acked), heard.missing(ACCOUNTS, numbers), heard.twice()


async def _until_killed(served: Served, requests: Sequence[bytes], most: int) -> list[int]:
    """Send, 64 at a time, and kill at the given number of answers; give which were answered."""
    waiting, acked = iter(enumerate(requests)), list[int]()
    every = await senders(served.port, 64)

    async def one(sender: Any) -> None:
        for n, request in waiting:
            if sender.transport.is_closing():
                return
            if await sender.send(request) == 200:
                acked.append(n)
            if len(acked) == most:
                served.kill()

    await asyncio.gather(*(one(sender) for sender in every), return_exceptions=True)
    return acked


def table(found: Sequence[Flow]) -> str:
    """Print them."""
    heads = f"{'keeps':14}{'verifies':>8}{'CPU ms':>8}{'webhooks/s':>12}{'s to 200':>10}"
    lines = [f"{'':16}{heads}{'MB idle':>9}{'loaded':>8}{'answered':>10}{'lost':>6}{'twice':>7}"]
    for its in found:
        cost = f"{its.cpu_ms:8.3f}{its.rate:12,.0f}{statistics.median(its.starts):10.2f}"
        rest = f"{its.idle:9.0f}{its.loaded:8.0f}{its.acked:10}{its.lost:6}{its.twice:7}"
        lines.append(f"{its.name:16}{its.keeps:14}{its.verifies:>8}{cost}{rest}")
    return "\n".join(lines)
