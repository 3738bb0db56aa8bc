"""What a hub lives through: rows it cannot read, duties that fail, leases lost and taken again."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hub.errors import NotStored
from hub.reconcile import EVERY, Reconciler
from hub.worker import RESCUE_EVERY
from store import leases, schema


async def until(bench, met: Callable[[], bool], *, step: float = 0.5) -> None:
    """Let time pass, a step at a turn, until a condition holds."""
    async with asyncio.timeout(5):
        while not met():
            bench.clock.advance(step)
            await asyncio.sleep(0.01)


async def spoil(bench, uid: str) -> None:
    """Change a stored payload as a failing disk would."""
    await bench.store.write(
        lambda tx: tx.run(
            update(schema.jobs).where(schema.jobs.c.uid == uid).values(payload=b"\x00" * 40)
        )
    )


async def test_a_job_whose_payload_cannot_be_read_is_dead_and_stops_no_other(bench) -> None:
    later = bench.clock.now() + timedelta(seconds=5)
    bad, good = bench.job("put", due_at=later), bench.job("put", due_at=later)
    await bench.put(bad, good)
    await spoil(bench, bad.uid)
    await until(bench, lambda: len(bench.provider.seen) == 1)
    await bench.reaches(good.uid, "done")
    async with bench.store.read() as connection:
        row = (
            await connection.execute(schema.jobs.select().where(schema.jobs.c.uid == bad.uid))
        ).one()
    assert row.state == "d"
    assert "jobs.payload" in row.error


async def test_claims_go_on_after_an_error_nobody_expected(bench, monkeypatch) -> None:
    whole, failed = bench.store.claim, asyncio.Event()

    async def broken(*_: Any, **__: Any) -> None:
        failed.set()
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.store, "claim", broken)
    bench.store.changed.set()
    await failed.wait()
    monkeypatch.setattr(bench.store, "claim", whole)
    job = bench.job("put")
    await bench.put(job)
    bench.clock.advance(1)
    await bench.reaches(job.uid, "done")
    assert bench.worker.alive()


async def test_a_duty_goes_on_after_an_error_nobody_expected(bench, monkeypatch) -> None:
    told: list[int] = []

    def broken(_: Any) -> int:
        told.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(leases, "rescue", broken)
    await until(bench, lambda: len(told) == 2, step=RESCUE_EVERY)
    assert bench.worker.alive()


async def test_the_reconciler_goes_on_after_an_error_nobody_expected(bench, monkeypatch) -> None:
    reconciler = Reconciler(bench.worker.runner, lambda _: None)
    told: list[int] = []

    async def broken() -> int:
        told.append(1)
        raise RuntimeError("a bug")

    monkeypatch.setattr(reconciler, "once", broken)
    duty = asyncio.create_task(reconciler.forever())
    try:
        await until(bench, lambda: len(told) == 2, step=EVERY)
        assert not duty.done()
    finally:
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)


async def test_a_job_claimed_again_while_its_lost_attempt_still_runs_keeps_its_lease(
    bench, monkeypatch
) -> None:
    """A machine that slept: the lease ran out, the attempt did not, and renewal came too late."""
    monkeypatch.setattr(leases, "renew", lambda _tx, held, **_: set(held))
    bench.provider.gate = asyncio.Event()
    job = bench.job("put")
    await bench.put(job)
    await until(bench, lambda: len(bench.provider.seen) == 1, step=0)
    bench.clock.advance(61)
    await until(bench, lambda: len(bench.provider.seen) == 2)
    [(_, first), (_, second)] = list(bench.worker.flying())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0)
    assert [task for _, task in bench.worker.flying()] == [second]
    bench.provider.gate.set()
    assert (await bench.reaches(job.uid, "done"))["attempt"] == 2


@pytest.mark.parametrize("name", ["pay", "mail"])
async def test_a_call_that_ended_well_is_done_though_the_store_was_busy(
    bench, monkeypatch, name
) -> None:
    whole, refused = bench.store.settle, []

    async def busy(done: Any) -> bool:
        if len(refused) < 2:
            refused.append(done)
            raise NotStored("the store could not commit: OperationalError")
        return await whole(done)

    monkeypatch.setattr(bench.store, "settle", busy)
    job = bench.job(name)
    await bench.put(job)
    await until(bench, lambda: len(refused) == 2)
    bench.clock.advance(2)
    await bench.reaches(job.uid, "done")
    assert len(bench.provider.seen) == 1


async def test_a_keyed_call_is_not_repeated_after_the_provider_has_forgotten_its_key(
    bench,
) -> None:
    """Cut short by a crash, then down or held for a day: repeating could pay twice."""
    bench.provider.answers = [500]
    job = bench.job("pay", key="pay:1")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    await bench.later(timedelta(hours=30).total_seconds())
    shown = await bench.reaches(job.uid, "uncertain")
    assert len(bench.provider.seen) == 1
    assert "key" in shown["error"]


async def test_a_keyed_call_given_up_after_an_unknown_outcome_is_uncertain(bench) -> None:
    bench.provider.answers = [500, 425]
    job = bench.job("pay")
    await bench.put(job)
    await bench.tried(job.uid, 1)
    await bench.later(timedelta(hours=22, minutes=59, seconds=59.5).total_seconds())
    shown = await bench.tried(job.uid, 2)
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["ambiguous", "retry"]
    assert shown["state"] == "uncertain"
