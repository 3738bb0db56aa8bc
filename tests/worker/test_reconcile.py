"""What becomes of uncertain jobs that no event settles."""

from datetime import timedelta

import pytest

from hub import Outcome
from hub.reconcile import Reconciler
from hub.routing import Route


@pytest.fixture
def toy(bench):
    return type(bench.worker.runner.accounts["toy"].connector)


@pytest.fixture
def reconciler(bench, toy):
    resending = Route(name="receipts", on=("x",), connector="toy", action=toy.actions()["mail"],
                      resend=True)  # fmt: skip
    return Reconciler(bench.worker.runner, {"receipts": resending, None: None}.get)


async def test_a_look_up_that_finds_the_effect_settles_the_job(
    bench, reconciler, toy, monkeypatch
) -> None:
    bench.provider.answers = [(500, {}), (500, {})]
    job = bench.job("pay")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    await bench.later(timedelta(hours=23, minutes=30).total_seconds())
    await bench.reaches(job.uid, "uncertain")
    assert await reconciler.once() == 0

    async def found(self, call, item) -> Outcome:
        return Outcome(ref=f"found-{call.job}")

    monkeypatch.setattr(toy, "find", found)
    assert await reconciler.once() == 1
    shown = await bench.shown(job.uid)
    assert (shown["state"], shown["ref"]) == ("done", f"found-{job.uid}")
    assert shown["reason"] == "found by look-up"


async def test_a_look_up_that_fails_leaves_the_job_uncertain(
    bench, reconciler, toy, monkeypatch
) -> None:
    bench.provider.answers = [500]
    job = bench.job("pay")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    bench.provider.answers = [500]
    await bench.later(timedelta(hours=23, minutes=30).total_seconds())
    await bench.reaches(job.uid, "uncertain")

    async def broken(self, call, item) -> Outcome:
        raise RuntimeError("down")

    monkeypatch.setattr(toy, "find", broken)
    assert await reconciler.once() == 0
    assert (await bench.shown(job.uid))["state"] == "uncertain"


async def test_a_parked_mail_is_never_sent_again(bench, reconciler) -> None:
    bench.provider.answers = ["cut"]
    job = bench.job("mail")
    await bench.put(job)
    await bench.reaches(job.uid, "uncertain")
    bench.clock.advance(86_400)
    assert await reconciler.once() == 0
    assert len(bench.provider.seen) == 1


async def test_a_route_that_says_resend_sends_once_more_under_a_new_key(bench, reconciler) -> None:
    bench.provider.answers = ["cut", "cut"]
    job = bench.job("mail", route="receipts", key="receipt:1")
    await bench.put(job)
    await bench.reaches(job.uid, "uncertain")
    assert await reconciler.once() == 0
    bench.clock.advance(timedelta(minutes=16).total_seconds())
    assert await reconciler.once() == 1
    shown = await bench.shown(job.uid)
    assert shown["state"] == "skipped"
    again = shown["reason"].rpartition(" ")[2]
    second = await bench.reaches(again, "uncertain")
    assert second["key"] == "receipt:1:resend"
    bench.clock.advance(timedelta(hours=1).total_seconds())
    assert await reconciler.once() == 0
    assert len(bench.provider.seen) == 2


async def test_a_job_sent_again_goes_before_those_that_waited_behind_it(bench, reconciler) -> None:
    bench.provider.answers = ["cut"]
    first = bench.job("mail", route="receipts", key="receipt:1", lane="a")
    second = bench.job("put", payload=b'{"name": "second"}', lane="a")
    await bench.put(first, second)
    await bench.reaches(first.uid, "uncertain")
    bench.clock.advance(timedelta(minutes=16).total_seconds())
    assert await reconciler.once() == 1
    await bench.reaches(second.uid, "done")
    assert [seen["path"] for seen in bench.provider.seen] == ["/mail", "/mail", "/put"]
