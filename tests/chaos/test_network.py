"""A bad network between a hub and its provider: what the hub makes of it, and how the job ends.

Nothing was done where no byte left (retry); else, without a whole answer, nobody can know
(ambiguous): a keyed action is repeated under its key, an unsafe one is parked and never repeated.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hub import config as configuration
from hub.app import Hub
from hub.clock import ManualClock
from hub.ids import new_id
from hub.model import NewJob, write_json
from hub.shop.vocabulary import VOCABULARY
from store import reads
from tests.chaos.ledger import Ledger, serving
from tests.chaos.nodes import Setting
from tests.chaos.proxy import Proxy

EFFECTS = {"book": "keyed", "tell": "unsafe"}
Toxics = list[dict[str, Any]]


def toxic(kind: str, stream: str = "downstream", **how: Any) -> dict[str, Any]:
    return {"kind": kind, "stream": stream, **how}


REFUSED: Toxics = []
NOTHING_PASSES = toxic("half_open", "upstream")
NO_ANSWER = toxic("half_open")
CASES = [
    # the network, what the hub makes of the attempt, whether the provider acted
    pytest.param([toxic("latency", seconds=0.02)], "ok", True, id="latency"),
    pytest.param([toxic("latency", "upstream", seconds=0.02)], "ok", True, id="latency-up"),
    pytest.param([toxic("bandwidth", rate=5_000)], "ok", True, id="bandwidth"),
    pytest.param([toxic("bandwidth", "upstream", rate=5_000)], "ok", True, id="bandwidth-up"),
    pytest.param([toxic("slicer", size=7, seconds=0.001)], "ok", True, id="slicer"),
    pytest.param([toxic("slow_close", seconds=0.1)], "ok", True, id="slow-close"),
    pytest.param(REFUSED, "retry", False, id="refused"),
    pytest.param([toxic("timeout", "upstream", seconds=0.05)], "ambiguous", False, id="timeout-up"),
    pytest.param([toxic("timeout", seconds=0.05)], "ambiguous", True, id="timeout"),
    pytest.param([toxic("limit_data", "upstream", size=90)], "ambiguous", False, id="cut-request"),
    pytest.param([toxic("limit_data", size=60)], "ambiguous", True, id="cut-answer"),
    pytest.param(
        [NOTHING_PASSES, toxic("reset_peer", seconds=0.05)], "ambiguous", False, id="reset-before"
    ),
    pytest.param(
        [NO_ANSWER, toxic("reset_peer", seconds=0.05)], "ambiguous", True, id="reset-after"
    ),
    pytest.param([NOTHING_PASSES], "ambiguous", False, id="half-open"),
    pytest.param([NO_ANSWER], "ambiguous", True, id="half-open-answer"),
    pytest.param([toxic("lost_answer")], "ambiguous", True, id="answer-lost-after-it-acted"),
]


@dataclass
class Bench:
    """A hub with a clock that is told, its provider, and the network between."""

    hub: Hub
    clock: ManualClock
    ledger: Ledger
    proxy: Proxy

    async def put(self, action: str) -> str:
        now = self.clock.now()
        uid = new_id("job", now)
        payload = write_json({"id": uid, "lane": "a", "n": 1})
        job = NewJob(
            uid=uid, connector="ledger", account="ledger", action=action, key=uid,
            effect=EFFECTS[action], payload=payload, due_at=now,
        )  # fmt: skip
        await self.hub.store.write(lambda tx: tx.enqueue(job))
        return uid

    async def shown(self, uid: str) -> dict[str, Any]:
        async with self.hub.store.read() as connection:
            found = await reads.one_job(connection, uid, self.hub.store.cipher)
        assert found is not None
        return found

    async def tried(self, uid: str, times: int) -> dict[str, Any]:
        async def met() -> bool:
            return len((await self.shown(uid))["attempts"]) == times

        assert await self.hub.worker.wait_for(met, 20), await self.shown(uid)
        return await self.shown(uid)

    async def heal(self) -> None:
        """Have a good network from now on."""
        self.proxy.toxics.clear()
        if not self.proxy.listens:
            await self.proxy.up()

    async def again(self, uid: str) -> None:
        """Move the clock to when the job falls due."""
        due = datetime.fromisoformat((await self.shown(uid))["due_at"])
        self.clock.advance((due - self.clock.now()).total_seconds())


@pytest.fixture
async def bench(home: Path) -> AsyncIterator[Bench]:
    async with serving() as ledger:
        port = int(ledger.url.rpartition(":")[2].partition("/")[0])
        async with Proxy.to("127.0.0.1", port) as proxy:
            double = f"http://127.0.0.1:{proxy.port}/http"
            setting = Setting(store=f"sqlite:///{home}/hub.db", double=double, timeout="500ms")
            told = configuration.load(
                setting.write(home), env=setting.environment(), shop=VOCABULARY
            )
            clock = ManualClock()
            hub = Hub(told, clock=clock)
            await hub.start()
            try:
                yield Bench(hub, clock, ledger, proxy)
            finally:
                await hub.stop()


@pytest.mark.parametrize(("network", "outcome", "acted"), CASES)
@pytest.mark.parametrize("action", EFFECTS)
async def test_a_bad_network_is_judged_rightly_and_the_job_ends_as_its_effect_says(
    bench: Bench, action: str, network: Toxics, outcome: str, acted: bool
) -> None:
    for one in network:
        bench.proxy.set(**one)
    if network is REFUSED:
        await bench.proxy.down()
    uid = await bench.put(action)
    shown = await bench.tried(uid, 1)
    assert shown["attempts"][0]["outcome"] == outcome, shown
    assert bench.ledger.calls()[uid] == acted
    await bench.heal()
    if outcome == "ambiguous" and action == "tell":
        assert shown["state"] == "uncertain"
        bench.clock.advance(86_400)
        await bench.tried(await bench.put("book"), 1)  # the hub has looked for work since
        assert len((await bench.shown(uid))["attempts"]) == 1
        assert bench.ledger.calls()[uid] == acted
        return
    if outcome != "ok":
        assert shown["state"] == "ready"
        await bench.again(uid)
        shown = await bench.tried(uid, 2)
    assert shown["state"] == "done"
    assert bench.ledger.effects()[uid] == 1
    assert bench.ledger.calls()[uid] == 1 + (outcome == "ambiguous" and acted)
