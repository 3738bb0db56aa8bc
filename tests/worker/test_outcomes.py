"""What the worker does with each way an attempt can end, against a real server."""

import asyncio
from datetime import timedelta

import pytest

from hub.model import Event
from hub.retry import Policy, bound
from store.events import add_event
from store.settle import resolve_from_events


async def test_a_keyed_action_keeps_its_key_and_body_through_500_500_200(bench) -> None:
    bench.provider.answers = [500, 500, 200]
    job = bench.job("pay", key="pay:1")
    await bench.put(job)
    for failures in (1, 2):
        await bench.tried(job.uid, failures)
        waited = await bench.skip_to_due(job.uid)
        assert 1.0 <= waited <= bound(Policy(initial=5), failures)
    shown = await bench.reaches(job.uid, "done")
    assert [a["status"] for a in shown["attempts"]] == [500, 500, 200]
    assert shown["ref"] == "p_1"
    assert len({(s["key"], s["body"]) for s in bench.provider.seen}) == 1
    assert bench.provider.seen[0]["key"] == "pay:1"


async def test_retry_after_7_waits_7_to_7_7_seconds_and_uses_no_attempt(bench) -> None:
    bench.provider.answers = [(429, {"Retry-After": "7"}), 200]
    job = bench.job("pay")
    await bench.put(job)
    shown = await bench.tried(job.uid, 1)
    assert shown["failures"] == 0
    bench.clock.advance(6.99)
    await asyncio.sleep(0.05)
    assert len(bench.provider.seen) == 1
    assert 0 <= await bench.skip_to_due(job.uid) <= 0.71
    await bench.reaches(job.uid, "done")


async def test_a_400_is_dead_at_once_with_the_providers_own_words(bench) -> None:
    bench.provider.answers = [400]
    job = bench.job("pay")
    await bench.put(job)
    shown = await bench.reaches(job.uid, "dead")
    assert len(shown["attempts"]) == 1
    assert "said so" in shown["error"]


async def test_a_person_whom_the_provider_names_in_its_refusal_is_masked(bench) -> None:
    bench.provider.answers = [400]
    job = bench.job("pay", payload=b'{"name": "said so"}')
    await bench.put(job)
    shown = await bench.reaches(job.uid, "dead")
    assert "said so" not in repr((shown["error"], shown["attempts"]))
    assert "‹personal›" in shown["error"]


async def test_a_cut_mail_is_uncertain_until_the_providers_event_settles_it(bench) -> None:
    bench.provider.answers = ["cut"]
    job = bench.job("mail")
    await bench.put(job)
    await bench.reaches(job.uid, "uncertain")
    told = Event(type="toy.delivered", at=bench.clock.now(), data={}, job=job.uid, id="evt_1")

    def tell(tx) -> None:
        add_event(tx, told)
        resolve_from_events(tx, [job.uid])

    await bench.store.write(tell)
    assert (await bench.shown(job.uid))["state"] == "done"
    assert len(bench.provider.seen) == 1


async def test_a_hanging_mail_times_out_and_is_never_sent_again(bench) -> None:
    bench.provider.answers = ["hang"]
    job = bench.job("mail")
    await bench.put(job)
    await bench.reaches(job.uid, "uncertain")
    await bench.later(86_400)
    await asyncio.sleep(0.05)
    assert len(bench.provider.seen) == 1


async def test_a_hanging_upsert_times_out_and_is_tried_again(bench) -> None:
    bench.provider.answers = ["hang", 200]
    job = bench.job("put")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    await bench.skip_to_due(job.uid)
    await bench.reaches(job.uid, "done")


async def test_a_keyed_action_stops_an_hour_before_its_key_is_forgotten(bench) -> None:
    bench.provider.answers = [500, 500]
    job = bench.job("pay")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    await bench.later(timedelta(hours=23, minutes=30).total_seconds())
    await bench.reaches(job.uid, "uncertain")


async def test_bad_credentials_hold_the_account_and_a_probe_releases_it(bench) -> None:
    bench.provider.answers = [401, 401]
    first, second = bench.job("pay"), bench.job("pay")
    await bench.put(first)
    await bench.tried(first.uid, 1)
    await bench.put(second)
    assert bench.worker.gates["toy"].held
    await asyncio.sleep(0.05)
    assert len(bench.provider.seen) == 1
    bench.clock.advance(60.1)
    await bench.until(second.uid, lambda _: len(bench.provider.seen) >= 2)
    bench.clock.advance(60.1)
    await bench.reaches(first.uid, "done")
    await bench.reaches(second.uid, "done")
    assert bench.worker.gates["toy"].held is None
    assert (await bench.shown(first.uid))["failures"] == 0


async def test_a_bug_of_ours_is_tried_three_times_then_dead(bench) -> None:
    job = bench.job("broken")
    await bench.put(job)
    for times in (1, 2):
        await bench.tried(job.uid, times)
        await bench.skip_to_due(job.uid)
    shown = await bench.reaches(job.uid, "dead")
    assert len(shown["attempts"]) == 3
    assert "RuntimeError" in shown["error"]


async def test_an_input_that_does_not_fit_is_dead_and_names_the_field(bench) -> None:
    job = bench.job("pay", payload=b'{"name": 5}')
    await bench.put(job)
    assert "name" in (await bench.reaches(job.uid, "dead"))["error"]
    assert bench.provider.seen == []


async def test_no_more_calls_are_in_flight_than_the_account_has_slots(bench) -> None:
    bench.provider.gate = asyncio.Event()
    jobs = [bench.job("put") for _ in range(12)]
    await bench.put(*jobs)
    async with asyncio.timeout(5):
        while bench.provider.at_once < 4:
            await asyncio.sleep(0.01)
    bench.provider.gate.set()
    for job in jobs:
        await bench.reaches(job.uid, "done")
    assert bench.provider.most_at_once == 4


async def test_a_stopping_worker_lets_its_calls_end(bench) -> None:
    bench.provider.gate = asyncio.Event()
    job = bench.job("mail")
    await bench.put(job)
    async with asyncio.timeout(5):
        while not bench.provider.at_once:
            await asyncio.sleep(0.01)
    stopping = asyncio.create_task(bench.worker.stop(timedelta(seconds=5)))
    await asyncio.sleep(0)
    bench.provider.gate.set()
    await stopping
    assert (await bench.shown(job.uid))["state"] == "done"


@pytest.mark.parametrize(("action", "state"), [("mail", "uncertain"), ("put", "ready")])
async def test_a_worker_out_of_grace_settles_what_it_cuts_short(bench, action, state) -> None:
    bench.provider.gate = asyncio.Event()
    job = bench.job(action)
    await bench.put(job)
    async with asyncio.timeout(5):
        while not bench.provider.at_once:
            await asyncio.sleep(0.01)
    await bench.worker.stop(timedelta(seconds=0.01))
    assert (await bench.shown(job.uid))["state"] == state
    bench.provider.gate.set()


async def test_an_attempt_that_begins_after_its_lease_calls_nobody(bench) -> None:
    await bench.worker.stop(timedelta(0))
    await bench.put(job := bench.job("mail"))
    claimed, _ = await bench.store.claim({"toy": 1}, node="n", until=bench.clock.now())
    await bench.worker.runner.run(*claimed)
    shown = await bench.shown(job.uid)
    assert bench.provider.seen == []
    assert (shown["state"], shown["failures"]) == ("ready", 0)
    assert [a["outcome"] for a in shown["attempts"]] == ["returned"]
