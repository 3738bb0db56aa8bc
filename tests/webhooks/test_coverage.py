"""What a signature does not cover is asked for, and not believed: no money, no outcome of a job."""

from datetime import UTC, datetime

import pytest

from hub import Event, PaymentFact, Request
from hub.effects import Signing
from hub.model import read_json
from store import reads
from tests.webhooks.conftest import Toy, body


@pytest.fixture(autouse=True)
def _payments(monkeypatch):
    """Let the toy be a payment provider: each event says that its payment was captured."""

    def facts(self, event: Event):
        yield from (
            PaymentFact(fact=fact, payment=f"pay_{event.ext_id}", ref=f"ch_{event.ext_id}",
                        occurred_at=event.at, amount=4200, currency="EUR")
            for fact in ("authorized", "captured")
        )  # fmt: skip

    def parse(self, request):
        at = datetime(2026, 5, 1, tzinfo=UTC)
        for item in request.json()["events"]:
            yield Event(ext_id=item["id"], type="paid", at=at, data=item, job="job_of_ours")

    monkeypatch.setattr(Toy, "facts", facts)
    monkeypatch.setattr(Toy, "parse", parse)


def covering(monkeypatch, covers: str | None) -> None:
    made = None if covers is None else Signing(covers=covers, window=(300, 300), dedupe="id",
                                               source="none")  # fmt: skip
    monkeypatch.setattr(Toy, "signature", made)


async def kept(bench) -> list[tuple[str, str, dict]]:
    async with bench.store.read() as connection:
        rows = await reads.list_jobs(connection)
        found = [await reads.one_job(connection, r["uid"], bench.store.cipher) for r in rows[::-1]]
    return [(job["connector"], job["action"], job["payload"]) for job in found]


async def test_a_covered_fact_is_recorded(bench, monkeypatch) -> None:
    covering(monkeypatch, "body")
    assert await bench.post(body("e1")) == 200
    jobs = await kept(bench)
    assert [(connector, action) for connector, action, _ in jobs] == [
        ("shop", "record_payment")
    ] * 2
    assert {job["amount"] for _, _, job in jobs} == {4200}
    assert {job["job"] for _, _, job in jobs} == {"job_of_ours"}


@pytest.mark.parametrize("covers", ["partial", "none", None])
async def test_an_uncovered_one_is_asked_for_and_none_of_it_believed(bench, monkeypatch, covers):
    covering(monkeypatch, covers)
    assert await bench.post(body("e1", "e2")) == 200
    await bench.store.number_feed()
    assert await kept(bench) == [
        ("toy", "retrieve_payment", {"ref": "pay_e1"}),
        ("toy", "retrieve_payment", {"ref": "pay_e2"}),
    ]
    async with bench.store.read() as connection:
        events = await reads.list_events(connection, bench.store.cipher)
    assert len(events) == 2
    assert await bench.post(body("e1", "e2")) == 200
    assert len(await kept(bench)) == 2


async def test_what_we_read_from_the_provider_s_own_list_is_believed(bench, monkeypatch) -> None:
    covering(monkeypatch, "none")
    door = bench.receiver.doors["toy"]
    asked = Request(method="POST", url=door.connector.webhook_url, headers=(), body=body("e1"))
    receipt = bench.receiver.receipt(door, asked, None, pulled=True)
    [taken] = receipt.taken
    assert [job.action for job in taken.jobs] == ["record_payment"] * 2
    assert taken.event.job == "job_of_ours"
    assert read_json(taken.jobs[0].payload)["origin"] == "backfill"
