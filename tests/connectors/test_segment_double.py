"""Segment's double and our connector before it: one effect per messageId, silence for the rest."""

import base64
import json
from datetime import timedelta
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web

from connectors.segment import Segment
from connectors.segment.bodies import ENTRY_BYTES, REQUEST_BYTES
from connectors.segment.items import Identify, Track
from connectors.segment.sandbox import Sandbox
from hub import Ambiguous, AuthFailed, Call, ManualClock, RateLimited, Reject, Secret
from hub.http import Outbound
from hub.sandbox import Fault

JOB = "job_01kg0000000000000000000001"
ORDER = {
    "userId": "cus_1",
    "event": "Order Completed",
    "timestamp": "2026-01-01T10:00:00Z",
    "properties": {"order_id": "ord_1", "total": Decimal("1284.50"), "coupon": None},
}
WHO = {"userId": "cus_1", "timestamp": "2026-01-01T10:00:00Z", "traits": {"country": "DE"}}


class Stage:
    """The double on a port, and our connector before it."""

    def __init__(self, double, base_url):
        self.double, self.base_url, self.clock = double, base_url, double.clock

    @property
    def ledger(self):
        return self.double.state.ledger

    def settings(self, key="wk"):
        return Segment.Settings(write_key=Secret(key), base_url=self.base_url)

    async def perform(self, action, item, *, key="wk", job=JOB):
        settings = self.settings(key)
        deadline = self.clock.now() + timedelta(seconds=5)
        async with Outbound(self.clock) as out:
            client = out.client(Segment, settings, name="seg", allow_private=["127.0.0.1"])
            call = Call(
                http=client.attempt(deadline=deadline), job=job, key=job, attempt=1,
                deadline=deadline, links=None, log=None, clock=self.clock,
            )  # fmt: skip
            return await getattr(Segment("seg", settings, None), action)(call, item)

    async def post(self, path, body, *, auth="wk:"):
        """Post raw, as any client might; give status and body."""
        credential = base64.b64encode(auth.encode()).decode()
        headers = {"Authorization": f"Basic {credential}"} if auth else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.base_url + path, data=data, headers=headers) as answer,
        ):
            return answer.status, await answer.json()


@pytest.fixture
async def stage(aiohttp_server):
    double = Sandbox(clock=ManualClock())
    app = web.Application()
    app.add_subapp("/segment", double.app())
    server = await aiohttp_server(app)
    return Stage(double, str(server.make_url("/segment")))


def track(**changed):
    return Track.model_validate(ORDER | changed)


# -- one effect per messageId --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "item"), [("track", track()), ("identify", Identify.model_validate(WHO))]
)
async def test_one_job_is_one_effect_however_often_it_is_sent(stage, action, item):
    for _ in range(3):
        outcome = await stage.perform(action, item)
    assert outcome.ref == JOB
    [effect] = stage.ledger
    assert (effect.kind, effect.key) == (action, JOB)
    assert effect.data["timestamp"] == "2026-01-01T10:00:00Z"


async def test_the_event_arrives_whole_and_without_sent_at(stage):
    await stage.perform("track", track())
    [effect] = stage.ledger
    assert effect.data == ORDER | {"messageId": JOB}


async def test_a_repeat_is_forgotten_after_a_day(stage):
    await stage.perform("track", track())
    stage.clock.advance(24 * 3600 - 1)
    await stage.perform("track", track())
    assert len(stage.ledger) == 1
    stage.clock.advance(1)
    await stage.perform("track", track())
    assert len(stage.ledger) == 2


@pytest.mark.parametrize("fault", ["500", "cut"])
async def test_a_lost_answer_is_ambiguous_and_repeating_adds_nothing(stage, fault):
    stage.double.state.faults.append(Fault(fault=fault, acted=True))
    with pytest.raises(Ambiguous):
        await stage.perform("track", track())
    await stage.perform("track", track())
    assert len(stage.ledger) == 1


async def test_a_spent_budget_gives_the_pause_asked_for(stage):
    stage.double.state.faults.append(Fault(fault="429", after=7))
    with pytest.raises(RateLimited) as caught:
        await stage.perform("track", track())
    assert caught.value.after == 7
    assert stage.ledger == []


async def test_a_revoked_key_holds_the_account(stage):
    with pytest.raises(AuthFailed):
        await stage.perform("track", track(), key="revoked")
    assert stage.ledger == []


# -- lists ---------------------------------------------------------------------------------------
async def test_a_list_is_sent_once_and_each_entry_has_an_id_of_its_own(stage):
    entries = [track(event=f"Event {n}") for n in range(3)]
    first = await stage.perform("batch", entries)
    again = await stage.perform("batch", entries)
    ids = [result.remote_id for result in first]
    assert ids == [result.remote_id for result in again] == [effect.key for effect in stage.ledger]
    assert len(set(ids)) == 3
    assert all(one.startswith(JOB) and len(one) <= 100 for one in ids)
    assert [call["path"] for call in stage.double.state.calls] == ["/v1/batch"] * 2


async def test_a_list_sent_again_in_parts_keeps_its_ids(stage):
    entries = [track(event=f"Event {n}") for n in range(4)]
    for entry in entries:  # as after a refusal of the whole
        await stage.perform("batch", [entry])
    assert [effect.data["event"] for effect in stage.ledger] == [f"Event {n}" for n in range(4)]
    await stage.perform("batch", entries)
    assert len(stage.ledger) == 4


async def test_equal_entries_of_a_list_all_count(stage):
    results = await stage.perform("batch", [track(), track(), track()])
    assert len(stage.ledger) == len({result.remote_id for result in results}) == 3


async def test_one_entry_too_large_dies_alone(stage):
    entries = [track(), track(properties={"text": "x" * ENTRY_BYTES}), track(event="Other")]
    results = await stage.perform("batch", entries)
    assert [type(result.error) for result in results] == [type(None), Reject, type(None)]
    assert [effect.data["event"] for effect in stage.ledger] == ["Order Completed", "Other"]


async def test_a_list_over_the_limit_goes_in_several_requests(stage):
    entries = [track(event=f"{n}", properties={"text": "x" * 30_000}) for n in range(40)]
    await stage.perform("batch", entries)
    assert len(stage.double.state.calls) == -(-40 * 30_300 // REQUEST_BYTES)
    assert [effect.data["event"] for effect in stage.ledger] == [f"{n}" for n in range(40)]


async def test_a_list_cut_between_its_requests_is_whole_after_the_repeat(stage):
    entries = [track(event=f"{n}", properties={"text": "x" * 30_000}) for n in range(20)]
    stage.double.state.faults.append(Fault(fault="500", acted=True))
    with pytest.raises(Ambiguous):
        await stage.perform("batch", entries)
    assert 0 < len(stage.ledger) < 20
    await stage.perform("batch", entries)
    assert [effect.data["event"] for effect in stage.ledger] == [f"{n}" for n in range(20)]


# -- sizes ---------------------------------------------------------------------------------------
async def test_the_largest_event_is_taken_and_one_byte_more_is_not_sent(stage):
    frame = len(json.dumps(
        {"userId": "c", "timestamp": ORDER["timestamp"], "event": "e",
         "properties": {"t": ""}, "messageId": JOB}, separators=(",", ":"),
    ))  # fmt: skip
    for size, sent in ((ENTRY_BYTES - frame, 1), (ENTRY_BYTES - frame + 1, 0)):
        stage.double.state.calls.clear()
        entry = Track.model_validate(
            {"userId": "c", "timestamp": ORDER["timestamp"], "event": "e",
             "properties": {"t": "x" * size}}
        )  # fmt: skip
        if sent:
            await stage.perform("track", entry)
        else:
            with pytest.raises(Reject, match="32769 bytes"):
                await stage.perform("track", entry)
        assert len(stage.double.state.calls) == sent
    assert stage.double.dropped == []


# -- what the double itself does -----------------------------------------------------------------
SILENT = [  # path, body that Segment drops without a word
    ("/v1/track", {"event": "x", "messageId": "m"}),
    ("/v1/track", {"userId": "c", "messageId": "m"}),
    ("/v1/track", {"userId": "", "event": "x"}),
    ("/v1/track", {"userId": "c", "event": "x", "messageId": "m" * 101}),
    ("/v1/identify", {"traits": {}}),
    ("/v1/batch", {"batch": [{"userId": "c", "event": "x"}]}),
    ("/v1/batch", {"batch": [{"type": "teleport", "userId": "c"}]}),
    ("/v1/batch", {"batch": ["x"]}),
    ("/v1/batch", {"batch": [{"type": "track", "userId": "c", "event": "x" * 33_000}]}),
]


@pytest.mark.parametrize(("path", "body"), SILENT)
async def test_what_segment_drops_it_answers_200_all_the_same(stage, path, body):
    assert await stage.post(path, body) == (200, {"success": True})
    assert stage.ledger == []
    assert len(stage.double.dropped) == 1


ALOUD = [  # path, body, status
    ("/v1/track", b"not JSON", 400),
    ("/v1/track", b"[]", 400),
    ("/v1/batch", b'{"batch":', 400),
    ("/v1/track", {"userId": "c", "event": "x" * 33_000}, 400),
    ("/v1/batch", {"batch": [], "pad": "x" * 512_000}, 400),
]


@pytest.mark.parametrize(("path", "body", "status"), ALOUD)
async def test_sizes_and_json_alone_are_refused_aloud(stage, path, body, status):
    assert (await stage.post(path, body))[0] == status
    assert stage.ledger == []


@pytest.mark.parametrize("auth", ["", "revoked:"])
async def test_without_a_key_nothing_is_taken(stage, auth):
    body = {"userId": "c", "event": "x", "messageId": "m"}
    assert (await stage.post("/v1/track", body, auth=auth))[0] == 401
    assert stage.ledger == []


async def test_a_key_in_the_body_does_as_segments_own_library_sends_it(stage):
    body = {"batch": [{"type": "track", "userId": "c", "event": "x"}], "writeKey": "wk"}
    assert (await stage.post("/v1/batch", body, auth=""))[0] == 200
    assert len(stage.ledger) == 1


async def test_check_proves_reach_and_owns_that_it_cannot_prove_the_key(stage):
    settings = stage.settings()
    async with Outbound(stage.clock) as out:
        client = out.client(Segment, settings, name="seg", allow_private=["127.0.0.1"])
        found = await Segment("seg", settings, client).check()
    assert {check.name: check.state for check in found} == {"reach": "ok", "write_key": "warn"}
