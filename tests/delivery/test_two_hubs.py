"""Two hubs on one PostgreSQL: a subscriber is changed at one while events come by the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError

from hub.app import Hub
from hub.clock import ManualClock
from hub.serving import running
from hub.subscribers import account_of
from store import keys
from store.deliveries import list_deliveries
from tests.delivery.conftest import Receiver, secret
from tests.delivery.shops import Shop, configured, until

OVERLAP = 60


@dataclass
class Two:
    """Two hubs; one is asked, events come by the other. `witness` hears all of them, always."""

    asked: Shop
    other: Shop
    clock: ManualClock
    receiver: Receiver
    witness: Receiver
    path: str = "/v1/webhook-endpoints"
    valid: dict[str, list[float]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def now(self) -> float:
        return self.clock.now().timestamp()

    async def ask(self, path: str = "", **body: object) -> dict[str, Any]:
        """Ask the one hub for a change."""
        status, told = await self.asked.send("POST", self.path + path, body)
        assert status < 300, told
        return told

    async def flow(self, count: int = 12) -> list[str]:
        """Let events come by the other hub, one after the other; give their ids."""
        made = [(await self.other.emit("shop.order.paid")).id for _ in range(count)]
        self.sent += made
        return made

    async def amid(self, path: str = "", **body: object) -> tuple[list[str], dict[str, Any]]:
        """Ask for a change amid events; give those of before its answer, and the answer."""
        answered = asyncio.Event()
        before = asyncio.create_task(self._flow_until(answered))
        count = len(self.witness.taken)
        await until(lambda: len(self.witness.taken) > count + 3)
        told = await self.ask(path, **body)
        answered.set()
        return await before, told

    async def _flow_until(self, answered: asyncio.Event) -> list[str]:
        made: list[str] = []
        while not answered.is_set():
            made += await self.flow(1)
        return made

    async def rotate(self, letter: str, overlap: int) -> None:
        """Give the subscriber a new secret amid events."""
        began = self.now()
        await self.amid("/rotate-secret", secret=secret(letter).text(), overlap=overlap)
        await self.flow()
        for span in self.valid.values():
            span[1] = min(span[1], began + overlap)
        self.valid[letter] = [began, float("inf")]

    async def all_taken(self) -> None:
        """Wait until both receivers have all."""
        await until(lambda: len(self.witness.taken) >= len(self.sent))
        await until(lambda: len(self.receiver.taken) >= len(self.sent))

    async def states(self) -> set[str]:
        """Give the states of its deliveries, once none is under way."""
        account = account_of(self.path.rpartition("/")[2])
        async with asyncio.timeout(20):
            while True:
                async with self.asked.hub.store.read() as connection:
                    found = await list_deliveries(connection, account, limit=1000)
                if "leased" not in (states := {one["state"] for one in found}):
                    return states

    def signed_by(self) -> list[tuple[float, list[str]]]:
        """Give when each delivery was signed, and the secrets it verifies with."""
        return [
            (float(headers["webhook-timestamp"]), [x for x in self.valid if good(x, headers, body)])
            for headers, body in self.receiver.seen
        ]


def good(letter: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Oracle(secret(letter).text()).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


@pytest.fixture
async def two(tmp_path, database) -> AsyncIterator[Two]:
    url = database.render_as_string(hide_password=False)
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))  # the oracle reads the real one
    env = {"WMS_SECRET": secret("w").text()}
    async with AsyncExitStack() as stack:
        receiver, witness = [await stack.enter_async_context(Receiver()) for _ in range(2)]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        hubs = []
        for _ in range(2):
            config = configured(tmp_path, witness.url, store=url, **env)
            hubs.append(await stack.enter_async_context(running(Hub(config, clock=clock))))
        key = (await hubs[0].store.write(lambda tx: keys.create_key(tx, "shop")))["key"]
        yield Two(*(Shop(hub, http, key) for hub in hubs), clock, receiver, witness)


async def subscribed(two: Two, ordered: str | bool = "all") -> None:
    """Subscribe amid events."""
    given = {"url": two.receiver.url, "types": ["shop.*"], "ordered": ordered}
    earlier, made = await two.amid(**given, secret=secret("a").text())
    two.path += f"/{made['id']}"
    two.valid["a"] = [two.now(), float("inf")]
    later = await two.flow()
    await until(lambda: all(set(later) <= set(r.taken) for r in (two.receiver, two.witness)))
    missed = min([*earlier, *later].index(ident) for ident in two.receiver.taken)
    assert 3 < missed <= len(earlier)
    two.sent = [*earlier, *later][missed:]  # none of before, and from the first on every one
    two.witness.taken[:] = two.sent


async def test_secrets_change_at_one_hub_while_events_come_by_the_other(two) -> None:
    await subscribed(two)
    await two.rotate("b", OVERLAP)
    await two.all_taken()
    two.clock.advance(5)
    await two.flow()
    await two.all_taken()
    two.clock.advance(OVERLAP)  # the old one is over
    await two.rotate("c", 0)
    await two.all_taken()
    two.clock.advance(5)
    await two.flow()
    await two.all_taken()
    assert two.receiver.taken == two.sent
    assert await two.states() == {"done"}
    told = two.signed_by()
    for at, letters in told:
        begun = {x for x, (since, until) in two.valid.items() if since <= at <= until}
        over = {x for x, (since, until) in two.valid.items() if since < at < until}
        assert over <= set(letters) <= begun  # in the second of a change either will do
        assert letters
    assert {"a", "ab", "b", "c"} <= {"".join(letters) for _, letters in told}


@pytest.mark.parametrize(("ordered", "as_sent"), [("all", list), (False, sorted)])
async def test_disabled_at_one_hub_it_gets_all_once_enabled(two, ordered, as_sent) -> None:
    await subscribed(two, ordered)
    await two.all_taken()
    two.clock.advance(1)
    since, missed = two.clock.now(), len(two.sent)
    await two.amid("/disable", note="moving house")
    later = await two.flow()
    await until(lambda: later[-1] in two.witness.taken)
    taken = len(two.receiver.taken)
    assert not set(later) & set(two.receiver.taken)
    meanwhile = await two.flow()
    await until(lambda: meanwhile[-1] in two.witness.taken)
    assert len(two.receiver.taken) == taken
    assert await two.states() - {"waiting"} == {"done", "ready"}

    await two.amid("/enable")
    await two.all_taken()
    assert as_sent(two.receiver.taken) == as_sent(two.sent)
    assert await two.states() == {"done"}

    two.receiver.taken.clear()
    two.clock.advance(1)
    span = {"from": since.isoformat(), "to": two.clock.now().isoformat()}
    told = await two.ask("/replay", **span, everything=True)
    again = two.sent[missed:]
    assert told["deliveries"] == len(again)
    await until(lambda: len(two.receiver.taken) == len(again))
    assert as_sent(two.receiver.taken) == as_sent(again)
