"""POST /v1/jobs/{uid}/retry, /cancel, /settle: staff move jobs, by name, once per key."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from hub.ids import new_id
from hub.model import NewJob
from store import schema
from tests.unit.api.conftest import problem


@pytest.fixture
def put(store, clock):
    """Write a job and let it stand in a state."""

    async def make(state, **more):
        uid = new_id("job", clock.now())
        told = {
            "uid": uid, "connector": "crm", "account": "crm", "action": "put", "key": uid,
            "effect": "upsert", "payload": b'{"email": "ann@example.com"}', "due_at": clock.now(),
        }  # fmt: skip
        await store.write(lambda tx: tx.enqueue(NewJob(**(told | more))))
        moved = text("UPDATE jobs SET state = :state, error = 'no' WHERE uid = :uid")
        await store.write(lambda tx: tx.run(moved, {"state": state, "uid": uid}))
        return uid

    return make


async def shown(door, uid):
    return await (await door.get(f"/v1/jobs/{uid}")).json()


async def audit(store):
    async with store.read() as connection:
        rows = await connection.execute(select(schema.audit).order_by(schema.audit.c.n))
        return [(row.who, row.what, row.subject, row.note) for row in rows]


MOVES = [
    ("retry", {}, "d", "ready"),
    ("retry", {}, "b", "ready"),
    ("cancel", {}, "r", "cancelled"),
    ("cancel", {}, "u", "cancelled"),
    ("settle", {"state": "done"}, "u", "done"),
    ("settle", {"state": "dead"}, "u", "dead"),
]


@pytest.mark.parametrize("role", ["admin", "support"])
@pytest.mark.parametrize(("path", "body", "before", "after"), MOVES)
async def test_staff_move_a_job(doors, put, role, path, body, before, after):
    uid = await put(before)
    answer = await doors[role].post(f"/v1/jobs/{uid}/{path}", body)
    assert (answer.status, await answer.json()) == (200, {"uid": uid})
    assert (await shown(doors[role], uid))["state"] == after


@pytest.mark.parametrize(("path", "body", "before", "_"), MOVES)
async def test_others_move_nothing(doors, put, path, body, before, _):
    uid = await put(before)
    was = (await shown(doors["admin"], uid))["state"]
    for role in ("shop", "readonly"):
        await problem(await doors[role].post(f"/v1/jobs/{uid}/{path}", body), "forbidden")
    assert (await shown(doors["admin"], uid))["state"] == was


REFUSED = [
    ("retry", {}, "r"),
    ("retry", {}, "u"),
    ("cancel", {}, "l"),
    ("settle", {"state": "done"}, "d"),
]


@pytest.mark.parametrize(("path", "body", "state"), REFUSED)
async def test_what_its_state_does_not_allow_is_409_and_changes_nothing(
    doors, store, put, path, body, state
):
    uid = await put(state)
    before = await shown(doors["admin"], uid)
    answer = await doors["support"].post(f"/v1/jobs/{uid}/{path}", body)
    await problem(answer, "invalid_transition")
    assert await shown(doors["admin"], uid) == before
    assert await audit(store) == []


@pytest.mark.parametrize("path", ["retry", "cancel"])
async def test_no_such_job_is_404(doors, path):
    await problem(await doors["admin"].post(f"/v1/jobs/job_none/{path}", {}), "not_found")


@pytest.mark.parametrize("body", [{}, {"state": "gone"}, {"state": "done", "by": "me"}])
async def test_a_settlement_says_what_became_of_it(doors, put, body):
    uid = await put("u")
    answer = await doors["admin"].post(f"/v1/jobs/{uid}/settle", body)
    await problem(answer, "validation_error")


async def test_who_did_it_and_why_is_recorded(doors, store, put):
    uid = await put("d")
    async with store.read() as connection:
        keys = dict((await connection.execute(text("SELECT role, id FROM api_keys"))).all())
    await doors["support"].post(f"/v1/jobs/{uid}/retry", {"note": "the quota is back"})
    deed, call = await audit(store)
    assert deed == (keys["support"], "job.retry", uid, "the quota is back")
    assert call[:3] == (keys["support"], "POST /v1/jobs/{uid}/retry", uid)


async def test_the_same_key_moves_it_once(doors, clock, store, put):
    uid = await put("d")
    path = f"/v1/jobs/{uid}/retry"
    first = await doors["admin"].post(path, {}, key="k")
    until = clock.now() + timedelta(seconds=60)
    await store.know_accounts(["crm"])
    await store.claim({"crm": 1}, node="n", until=until)
    again = await doors["admin"].post(path, {}, key="k")
    assert (first.status, again.status) == (200, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await shown(doors["admin"], uid))["state"] == "leased"


async def test_one_dead_at_birth_needs_its_route(doors, put):
    uid = await put("d", payload=None)
    answer = await doors["admin"].post(f"/v1/jobs/{uid}/retry", {})
    await problem(answer, "invalid_transition")


class TestMappedAnew:
    @pytest.fixture
    def api(self, api, clock):
        def rewrite(name, event, now):
            return NewJob(
                uid=new_id("job", now), connector="crm", account="crm", action="put",
                key=f"{event.id}:{name}", effect="upsert", payload=b'{"name": "Ann"}', due_at=now,
                event_id=event.id, route=name,
            )  # fmt: skip

        object.__setattr__(api, "rewrite", rewrite)
        return api

    async def test_the_answer_names_the_job_that_goes_on(self, doors, put):
        made = await doors["shop"].post(
            "/v1/events", {"type": "loyalty.points_changed", "data": {"points": 1}}, key="e"
        )
        event = (await made.json())["id"]
        uid = await put("d", payload=None, event_id=event, route="points")
        answer = await doors["admin"].post(f"/v1/jobs/{uid}/retry", {})
        anew = (await answer.json())["uid"]
        assert anew != uid
        assert (await shown(doors["admin"], anew))["state"] == "ready"
        assert (await shown(doors["admin"], uid))["reason"] == f"mapped again as {anew}"


async def test_lanes_that_stand_still_are_listed(doors, put):
    uid = await put("b", lane="a")
    await put("w", lane="a")
    await put("d", lane="b")
    body = await (await doors["readonly"].get("/v1/lanes")).json()
    told = [(row["lane"], row["job"], row["state"], row["waiting"]) for row in body["items"]]
    assert told == [("a", uid, "dead", 1)]
    assert (await (await doors["readonly"].get("/v1/lanes?connector=mail")).json())["items"] == []
