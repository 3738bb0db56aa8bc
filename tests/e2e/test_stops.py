"""The hub told to stop, or ended at once: what it had taken on is finished, or taken up again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.e2e.kill_loop import play
from tests.e2e.shop import Shop, until
from tests.e2e.stage import TRACEBACK, Hub, run
from tests.e2e.told import assert_told_once

INTENTS, SEND, TRACK = "/v1/payment_intents", "/v3/mail/send", "/v1/track"


@pytest.fixture
def stopping(hub: Hub) -> Iterator[Hub]:
    """Lend the hub to a test that ends it; it runs again afterwards."""
    yield hub
    if not hub.runs():
        hub.start()


@pytest.fixture
async def front(stopping: Hub) -> AsyncIterator[Shop]:
    async with Shop(stopping) as made:
        await made.stock("tee")
        yield made
        await made.forget_faults()


async def test_sigterm_lets_calls_in_flight_finish_and_exits_0(stopping: Hub, front: Shop) -> None:
    order, payment = await front.orders("drain@example.com")
    await front.fault("segment", "slow", path=TRACK, after=2)
    await front.fault("stripe", "slow", path=INTENTS, after=2)
    calls = await _calls(front, "stripe", INTENTS)
    tracks = await _calls(front, "segment", TRACK)
    await front.pays(payment)
    buying = asyncio.create_task(front.orders("drained@example.com"))
    await until(lambda: _more(front, "segment", TRACK, tracks), "Segment is being told")
    await until(lambda: _more(front, "stripe", INTENTS, calls), "Stripe is being asked")
    stopping.terminate()
    late, its_payment = await buying
    assert its_payment["client_secret"]
    assert await asyncio.to_thread(stopping.ended) == 0
    ended = "SELECT state FROM job_history WHERE action IN ('track', 'create_payment')"
    assert {row[0] for row in stopping.rows(ended)} == {"done"}
    stopping.start()
    async with Shop(stopping) as later:
        await later.pays(its_payment)
        await later.over(late["id"])
        await later.over(order["id"])
        await assert_told_once(later, order)
        assert [len(j["attempts"]) for j in await later.jobs(order["id"], action="track")] == [1]


async def test_a_call_cut_by_a_crash_gives_the_same_order_under_its_key(
    stopping: Hub, front: Shop
) -> None:
    line = {"variant": "tee", "qty": 1}
    opened = {"currency": "EUR", "email": "crash@example.com", "lines": [line]}
    cart = await front.make("/v1/carts", opened)
    agreed = {"expected_total": cart["totals"]["total"], "payment": {"connector": "stripe"}}
    path = f"/v1/carts/{cart['id']}/complete"
    await front.fault("stripe", "slow", path=INTENTS, after=2)
    calls = await _calls(front, "stripe", INTENTS)
    buying = asyncio.create_task(front.ask("POST", path, agreed, key="crash"))
    await until(lambda: _more(front, "stripe", INTENTS, calls), "Stripe is being asked")
    stopping.kill()
    with pytest.raises(aiohttp.ClientError):
        await buying
    stopping.start()
    async with Shop(stopping) as later:
        status, made = await later.ask("POST", path, agreed, key="crash")
        assert (status, bool(made["payment"]["client_secret"])) == (200, True)
        status, again = await later.ask("POST", path, agreed, key="crash")
        assert (status, again["order"]["id"]) == (200, made["order"]["id"])
        await later.pays(made["payment"])
        await later.over(made["order"]["id"])
        await assert_told_once(later, made["order"])
        asked = [e for e in await later.ledger("stripe") if _hub_order(e) == made["order"]["id"]]
        assert len(asked) == 1
        [job] = await later.jobs(made["order"]["id"], action="create_payment")
        assert [t["outcome"] for t in job["attempts"]] == ["lost", "ok"]


async def test_a_mail_cut_by_a_crash_is_not_sent_again(stopping: Hub, front: Shop) -> None:
    order, payment = await front.orders("crashed-mail@example.com")
    await front.fault("sendgrid", "slow", path=SEND, after=1)
    await front.fault("sendgrid", "reorder", times=2, count=9)  # holds the report back
    calls = await _calls(front, "sendgrid", SEND)
    await front.pays(payment)
    await until(lambda: _more(front, "sendgrid", SEND, calls), "SendGrid is being told")
    stopping.kill()
    stopping.start()
    async with Shop(stopping) as later:
        await later.job_is(order["id"], "send_template", "uncertain")
        await until(lambda: _mailed(later, order["id"]), "SendGrid has the mail")
        await later.release("sendgrid")
        await later.job_is(order["id"], "send_template", "done")
        await later.over(order["id"])
        await assert_told_once(later, order)


async def test_a_second_hub_on_the_same_store_refuses_to_start(hub: Hub) -> None:
    free = {"HUB_LISTEN": "127.0.0.1:0"}
    done = await asyncio.to_thread(run, *hub.words, home=hub.home, **free)
    assert done.returncode == 1
    assert f"held by process {hub.pid}" in done.stderr
    assert TRACEBACK not in done.stderr


@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_done_twice_while_the_hub_is_killed(tmp_path: Any) -> None:
    verdict = await play(tmp_path, orders=60, kills=3, seed=7)
    assert verdict.good, str(verdict)


async def _calls(shop: Shop, kind: str, path: str) -> int:
    return sum(call["path"] == path for call in (await shop.double(kind))["calls"])


async def _more(shop: Shop, kind: str, path: str, than: int) -> bool:
    return await _calls(shop, kind, path) > than


async def _mailed(shop: Shop, order: str) -> bool:
    mails = await shop.ledger("sendgrid")
    return any(e["data"]["custom_args"].get("hub_order") == order for e in mails)


def _hub_order(effect: dict[str, Any]) -> str | None:
    return ((effect["data"] or {}).get("metadata") or {}).get("hub_order")
