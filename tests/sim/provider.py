"""The provider of a simulation, the network before it, and the provider's own ledger.

Only aiohttp is replaced: what an answer or a lost one means is decided by `hub.http` itself.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from multidict import CIMultiDict
from pydantic import BaseModel

from hub import (
    Call,
    Connector,
    ConnectorSettings,
    Outcome,
    Secret,
    action,
    bearer,
    keyed,
    unsafe,
    upsert,
)
from hub.errors import Ambiguous, Retry
from hub.http import Client
from hub.http.attempt import Timeouts
from hub.http.classify import Received
from hub.http.egress import Trip
from hub.http.verbs import Ask
from hub.model import read_json
from tests.sim.loop import Machine, VirtualLoop


class Item(BaseModel):
    """The n-th job of a lane; `bad` ones are refused for good."""

    n: int
    lane: str | None = None
    bad: bool = False


class Toy(Connector):
    type = "toy"
    auth = bearer("token")

    class Settings(ConnectorSettings):
        token: Secret

    @action(effect=keyed(timedelta(hours=24)))
    async def pay(self, call: Call, item: Item) -> Outcome:
        return await self._send(call, item, "/pay")

    @action(effect=unsafe, kind="message")
    async def mail(self, call: Call, item: Item) -> Outcome:
        return await self._send(call, item, "/mail")

    @action(effect=upsert("n"))
    async def put(self, call: Call, item: Item) -> Outcome:
        return await self._send(call, item, "/put")

    async def _send(self, call: Call, item: Item, path: str) -> Outcome:
        body = item.model_dump() | {"job": call.job}
        await call.http.post(path, json=body, headers={"Idempotency-Key": call.key})
        return Outcome()


ACTIONS = Toy.actions()
SETTINGS = Toy.Settings(base_url="http://toy.example", token=Secret("t0ken"))


@dataclass
class Ledger:
    """What the provider saw and did: the judge of a run."""

    effects: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    calls: list[tuple[str, str | None, int]] = field(default_factory=list)


# How a request may end, and how often out of a hundred while there is trouble.
ENDS = {
    "": 58, "refused": 5, "lost request": 4, "lost answer": 9, "slow": 5, "500 done": 4,
    "503": 5, "429": 5, "401": 2, "reset": 3,
}  # fmt: skip
STATUS = {"503": 503, "429": 429, "401": 401, "500 done": 500}


class Provider:
    """Answers as its fate is, and keeps its ledger."""

    def __init__(
        self,
        loop: VirtualLoop,
        chance: random.Random,
        *,
        fate: Callable[[Mapping[str, int]], str],
        note: Callable[..., None],
    ) -> None:
        self.loop, self.chance, self.fate, self.note = loop, chance, fate, note
        self.ledger = Ledger()
        self.told: Callable[[str], None] = lambda _job: None

    def take(self, path: str, body: dict[str, Any], fate: str) -> Received:
        """Take a request in that has arrived."""
        job, lane = body["job"], body["lane"]
        self.note("call", path, job, fate)
        self.ledger.calls.append((job, lane, body["n"]))
        if body["bad"]:
            return _answer(400)
        status = STATUS.get(fate, 200)
        if status in (200, 500) and not (path == "/pay" and self.ledger.effects[job]):
            self.ledger.effects[job] += 1
            if path == "/mail":
                self.told(job)
        return _answer(status)


def _answer(status: int) -> Received:
    headers: CIMultiDict[str] = CIMultiDict({"Content-Type": "application/json"})
    if status == 429:
        headers["Retry-After"] = "2"
    return Received(status, headers, b'{"id": "p_1", "message": "said so"}')


class Wire(Client):
    """The way out of one node: a request may be lost, its answer too, and both may be slow."""

    def __init__(self, machine: Machine, provider: Provider, *, timeout: float) -> None:
        outbound: Any = SimpleNamespace(clock=machine)
        guard: Any = None
        connector = Toy("toy", SETTINGS, None)
        super().__init__(outbound, connector, guard=guard, timeouts=(timeout, timeout))
        self.machine, self.provider = machine, provider
        self.loop, self.chance = provider.loop, provider.chance

    async def exchange(
        self, ask: Ask, *, within: float, trip: Trip, timeouts: Timeouts | None = None
    ) -> Received:
        within = min(within, (timeouts or self._timeouts)[1])
        fate, back = self.provider.fate(ENDS), self.loop.create_future()
        travel = self.chance.uniform(0.01, 0.4)
        if fate == "refused":
            await self.machine.sleep(travel)
            raise Retry("toy: no connection")
        trip.left = True
        self.machine.after(within, _settle, back, None)
        # What has left arrives though its sender dies; after its time is over it does not.
        if fate != "lost request" and travel < within:
            self.loop.call_later(travel, self._arrive, ask, fate, back)
        if fate == "reset":
            self.machine.after(self.chance.uniform(0.01, 0.5), _settle, back, None)
        answer: Received | None = await back
        if answer is None:
            raise Ambiguous("toy: no whole answer")
        return answer

    def _arrive(self, ask: Ask, fate: str, back: asyncio.Future[Received | None]) -> None:
        answer = self.provider.take(ask.path, read_json(ask.body or b""), fate)
        if fate != "lost answer":
            late = 5.0 if fate == "slow" else 0.0
            self.machine.after(late + self.chance.uniform(0.01, 0.4), _settle, back, answer)


def _settle(back: asyncio.Future[Received | None], answer: Received | None) -> None:
    if not back.done():
        back.set_result(answer)
