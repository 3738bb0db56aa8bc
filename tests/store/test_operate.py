"""A person's hands: retry, cancel, settle and replay, one or many, each with a name on it."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import select

from hub.effects import unsafe, upsert
from hub.errors import MappingError, Refused
from hub.model import Event, read_json
from hub.plugin import ActionSpec
from hub.routing import Route, Router
from store import bulk, operate, reads, schema
from store.replay import Wish, offers, replay
from store.settle import Completion
from store.verify import verify

UPSERT = ActionSpec(name="upsert", effect=upsert("id"), kind="write", model=BaseModel)
MAIL = ActionSpec(name="send", effect=unsafe, kind="message", model=BaseModel)


class Shop:
    """A store with routes that may change, and what a person does to its jobs."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.answer = lambda scope: {"id": scope["data"]["id"], "origin": scope["event"]["origin"]}
        self.crm = Route(
            name="crm",
            on=("shop.*",),
            connector="crm",
            action=UPSERT,
            origins=frozenset({"live", "replay"}),
            map=self.mapped,
            order_by=lambda s: s["data"]["id"],
        )
        self.mail = Route(
            name="mail",
            on=("shop.paid",),
            connector="mail",
            action=MAIL,
            map=lambda s: {"to": s["data"]["id"]},
            key=lambda s: "mail:1",
        )
        self.use(self.crm, self.mail)

    def mapped(self, scope):
        return self.answer(scope)

    def use(self, *routes):
        self.router = Router(routes)
        self.store.use(self.router.jobs_for)

    async def emit(self, **more):
        told = {"type": "shop.paid", "at": self.clock.now(), "data": {"id": "c1"}}
        event = Event(**(told | more))
        return (await self.store.change(lambda tx, it: tx.emit(it), event)).id

    async def put(self, *jobs):
        await self.store.write(lambda tx: tx.enqueue(*jobs))

    async def claim(self):
        until = self.clock.now() + timedelta(seconds=60)
        claimed, _ = await self.store.claim({"crm": 1000, "mail": 1000}, node="n", until=until)
        return claimed

    async def end(self, state="done", error=None):
        """Let every due job end so; of lanes, one after the other."""
        while claimed := await self.claim():
            for job in claimed:
                done = Completion(job=job, state=state, outcome="x", error=error, ms=1,
                                  started_at=self.clock.now())  # fmt: skip
                assert await self.store.settle(done)

    async def do(self, work, uid, **more):
        return await self.store.change(lambda tx, it: work(tx, it, by="ana", **more), uid)

    async def again(self, uid):
        return await self.do(operate.again, uid, rewrite=self.router.job_of)

    def wish(self, *named, mapping="now"):
        open_to = [r.name for r in self.router.routes if "replay" in r.origins or r.name in named]
        names = [*open_to, *(name for name in named if name not in open_to)]
        return Wish(routes=names, rewrite=self.router.job_of, mapping=mapping)

    async def replay(self, event, *named, **more):
        made = await self.do(replay, event, wish=self.wish(*named, **more))
        return {job.route: job.key for job in made}

    async def offers(self, event, *named):
        return await self.store.look(lambda tx: offers(tx, event, self.wish(*named)))

    async def jobs(self, **more):
        async with self.store.read() as connection:
            return (await reads.list_jobs(connection, limit=5000, **more))[::-1]

    async def states(self):
        return Counter(job["state"] for job in await self.jobs())

    async def payload(self, uid):
        async with self.store.read() as connection:
            return (await reads.one_job(connection, uid, self.store.cipher))["payload"]

    async def audit(self):
        async with self.store.read() as connection:
            rows = await connection.execute(select(schema.audit).order_by(schema.audit.c.n))
            return [(row.who, row.what, row.subject, row.note) for row in rows]

    async def find(self, which):
        async with self.store.read() as connection:
            return await bulk.find(connection, which)

    async def sound(self):
        async with self.store.read() as connection:
            assert [one for one in await verify(connection) if one["broken"]] == []


@pytest.fixture
def shop(store, clock):
    return Shop(store, clock)


def unmapped(scope):
    raise MappingError("mapping.missing", "data.name is not there")


# -- dead at birth ---------------------------------------------------------------------------------
async def test_a_job_dead_at_birth_is_mapped_again_by_todays_route(shop):
    shop.answer = unmapped
    await shop.emit()
    (dead, _) = await shop.jobs()
    assert (dead["state"], await shop.payload(dead["uid"])) == ("dead", None)
    shop.answer = lambda s: {"name": "Ann", "origin": s["event"]["origin"]}
    made = await shop.again(dead["uid"])
    assert await shop.payload(made) == {"name": "Ann", "origin": "live"}
    old, _, new = await shop.jobs()
    assert (old["uid"], old["state"], old["reason"]) == (
        dead["uid"], "skipped", f"mapped again as {made}",
    )  # fmt: skip
    assert (new["uid"], new["state"], new["key"]) == (made, "ready", dead["key"])
    assert await shop.audit() == [("ana", "job.retry", dead["uid"], None)]
    await shop.sound()


async def test_what_cannot_be_mapped_still_stays_dead_and_says_why(shop):
    shop.answer = unmapped
    await shop.emit()
    (dead, _) = await shop.jobs()
    with pytest.raises(Refused, match=r"still cannot be mapped: .*data\.name is not there"):
        await shop.again(dead["uid"])
    assert [job["uid"] for job in await shop.jobs(state="dead")] == [dead["uid"]]
    assert await shop.audit() == []


async def test_a_route_that_wants_it_no_more_ends_it(shop):
    shop.answer = unmapped
    await shop.emit()
    shop.use(replace(shop.crm, when=lambda _: False))
    (dead, _) = await shop.jobs()
    assert await shop.again(dead["uid"]) == dead["uid"]
    (old, _) = await shop.jobs()
    assert (old["state"], old["reason"]) == ("skipped", "its route wants the event no more")


async def test_without_its_route_it_stays_dead(shop):
    shop.answer = unmapped
    await shop.emit()
    shop.use(shop.mail)
    (dead, _) = await shop.jobs()
    with pytest.raises(Refused, match="its route crm is no longer there"):
        await shop.again(dead["uid"])


async def test_its_heir_does_not_do_what_another_job_did_under_that_key(shop, job):
    shop.answer = unmapped
    await shop.put(job(connector="crm", key="deed"))
    await shop.emit()
    dead = (await shop.jobs(state="dead"))[0]
    shop.answer = lambda s: {"id": "c1"}
    shop.use(replace(shop.crm, key=lambda _: "deed"))
    made = await shop.again(dead["uid"])
    (heir,) = [job for job in await shop.jobs() if job["uid"] == made]
    assert (heir["state"], heir["reason"]) == ("skipped", "duplicate key")


# -- many ------------------------------------------------------------------------------------------
async def test_many_are_found_counted_done_and_recorded(shop, job):
    await shop.put(*(job() for _ in range(230)), *(job(connector="mail") for _ in range(3)))
    await shop.end("dead", error="no permission")
    which = bulk.Jobs(state="dead", connector="crm")
    uids = await shop.find(which)
    assert len(uids) == 230
    done = await bulk.each(
        shop.store, uids, lambda tx, uid: operate.again(tx, uid, by="ana", why=str(which))
    )
    assert (done.count, done.refused) == (230, Counter())
    assert await shop.states() == {"ready": 230, "dead": 3}
    told = await shop.audit()
    assert [subject for _, _, subject, _ in told] == uids
    assert set(told) == {("ana", "job.retry", u, "state=dead connector=crm") for u in uids}
    await shop.sound()


async def test_no_commit_holds_more_than_a_few(shop, job, monkeypatch):
    sizes = []
    run = bulk._do

    def seen(tx, idents, work):
        sizes.append(len(idents))
        return run(tx, idents, work)

    monkeypatch.setattr(bulk, "_do", seen)
    await shop.put(*(job() for _ in range(1100)))
    await bulk.each(
        shop.store,
        await shop.find(bulk.Jobs(state="ready")),
        lambda tx, uid: operate.cancel(tx, uid, by="ana"),
    )
    assert max(sizes) <= 500
    assert sum(sizes) == 1100


async def test_a_lanes_dead_go_on_in_their_order(shop, job):
    lane = [job(lane="a") for _ in range(4)]
    await shop.put(*lane)
    await shop.end("dead", error="no")
    await bulk.each(
        shop.store,
        await shop.find(bulk.Jobs(state="dead")),
        lambda tx, uid: operate.again(tx, uid, by="ana"),
    )
    seen = []
    while claimed := await shop.claim():
        (one,) = claimed
        seen.append(one.uid)
        done = Completion(job=one, state="done", outcome="ok", ms=1, started_at=shop.clock.now())
        await shop.store.settle(done)
    assert seen == [one.uid for one in lane]


async def test_a_follower_that_moves_up_is_not_cancelled_with_its_head(shop, job):
    head, follower = job(lane="a"), job(lane="a")
    await shop.put(head, follower)
    uids = await shop.find(bulk.Jobs(state="ready"))
    await bulk.each(shop.store, uids, lambda tx, uid: operate.cancel(tx, uid, by="ana"))
    assert {j["uid"]: j["state"] for j in await shop.jobs()} == {
        head.uid: "cancelled", follower.uid: "ready",
    }  # fmt: skip


async def test_one_that_has_moved_on_is_told_and_stops_no_other(shop, job):
    await shop.put(job(), job(), job())
    uids = await shop.find(bulk.Jobs(connector="crm"))
    await shop.do(operate.cancel, uids[1])
    done = await bulk.each(shop.store, uids, lambda tx, uid: operate.cancel(tx, uid, by="ana"))
    assert (done.count, done.refused) == (2, Counter({"there is no live job it": 1}))


FILTERS = [
    ({"state": "dead"}, {"d1", "d2"}),
    ({"state": "ready"}, {"r1", "m1"}),
    ({"connector": "mail"}, {"m1"}),
    ({"action": "other"}, {"d2"}),
    ({"route": "crm"}, {"r1"}),
    ({"type": "shop.paid"}, {"r1"}),
    ({"type": "shop.*"}, {"r1"}),
    ({"type": "crm.*"}, set()),
    ({"error": "QUOTA_left 50%"}, {"d1"}),
    ({"error": "quota%left"}, set()),  # the text itself, no pattern
    ({"since": 10}, {"r1"}),
    ({"until": 10}, {"d1", "d2", "m1"}),
    ({"since": 10, "connector": "mail"}, set()),
]


@pytest.mark.parametrize(("given", "names"), FILTERS)
async def test_a_filter_finds_what_matches_in_all_its_parts(shop, clock, job, given, names):
    start = clock.now()
    by_name = {"d1": job(), "d2": job(action="other")}
    await shop.put(*by_name.values())
    await shop.end("dead", error="quota_left 50% of all")
    (other,) = await shop.find(bulk.Jobs(action="other"))
    await shop.do(operate.again, other)
    (claimed,) = await shop.claim()
    assert await shop.store.settle(
        Completion(job=claimed, state="dead", outcome="x", error="gone", ms=1, started_at=start)
    )
    by_name["m1"] = job(connector="mail")
    await shop.put(by_name["m1"])
    clock.advance(10)
    await shop.emit(type="shop.paid")
    (made,) = await shop.jobs(connector="crm", state="ready")
    uids = {uid: name for name, uid in ((n, j.uid) for n, j in by_name.items())}
    uids[made["uid"]] = "r1"
    for job_ in await shop.jobs(connector="mail"):
        if job_["route"] == "mail":
            await shop.do(operate.cancel, job_["uid"])
    times = {k: start + timedelta(seconds=v) for k, v in given.items() if isinstance(v, int)}
    found = await shop.find(bulk.Jobs(**(given | times)))
    assert {uids[uid] for uid in found} == names


# -- replay ----------------------------------------------------------------------------------------
async def test_a_replay_makes_a_new_job_under_a_new_key_and_mails_nobody(shop):
    event = await shop.emit()
    await shop.end()
    assert await shop.replay(event) == {"crm": f"{event}:crm:r1"}
    assert await shop.replay(event) == {"crm": f"{event}:crm:r2"}
    assert await shop.states() == {"done": 2, "ready": 1, "waiting": 1}  # they keep their lane
    assert await shop.payload((await shop.jobs())[-1]["uid"]) == {"id": "c1", "origin": "replay"}
    await shop.sound()


async def test_a_route_that_a_person_names_is_replayed_whatever_its_origins(shop):
    event = await shop.emit()
    assert await shop.replay(event, "mail") == {
        "crm": f"{event}:crm:r1", "mail": "mail:1:r1",
    }  # fmt: skip


async def test_a_named_route_hears_only_its_own_events(shop):
    event = await shop.emit(type="shop.refunded")
    assert await shop.replay(event, "mail") == {"crm": f"{event}:crm:r1"}


async def test_as_then_sends_what_the_first_job_kept_and_as_now_what_the_route_says(shop):
    event = await shop.emit()
    await shop.end()
    shop.answer = lambda s: {"id": "other", "origin": s["event"]["origin"]}
    await shop.replay(event)
    await shop.end()
    await shop.replay(event, mapping="then")
    payloads = [await shop.payload(j["uid"]) for j in await shop.jobs(connector="crm")]
    assert payloads == [
        {"id": "c1", "origin": "live"},
        {"id": "other", "origin": "replay"},
        {"id": "c1", "origin": "live"},
    ]
    assert (await shop.jobs())[-1]["key"] == f"{event}:crm:r2"


async def test_then_is_possible_after_its_route_is_gone(shop):
    event = await shop.emit()
    await shop.end()
    shop.use()
    assert await shop.replay(event, "mail") == {}
    assert await shop.replay(event, "mail", mapping="then") == {"mail": "mail:1:r1"}


async def test_the_offer_shows_which_fields_differ(shop):
    event = await shop.emit()
    await shop.end()
    shop.answer = lambda s: {"id": "c1", "name": "new", "origin": "live"}
    crm, mail = await shop.offers(event, "mail")
    assert (crm.route, crm.changed()) == ("crm", ["name"])
    assert (mail.route, mail.changed()) == ("mail", [])
    assert read_json(crm.then.payload) == {"id": "c1", "origin": "live"}
    assert await shop.states() == {"done": 2}


async def test_a_replay_without_its_data_is_refused_but_as_then_is_not(shop):
    event = await shop.emit()
    await shop.end()
    forget = schema.events.update().values(data=None)
    await shop.store.write(lambda tx: tx.run(forget))
    with pytest.raises(Refused, match=f"the data of {event} is no longer kept"):
        await shop.replay(event)
    assert await shop.replay(event, mapping="then") == {"crm": f"{event}:crm:r1"}


async def test_two_events_of_one_wish_stay_one_wish_when_both_are_replayed(shop):
    events = [await shop.emit(), await shop.emit()]
    assert [j["state"] for j in await shop.jobs(connector="mail")] == ["ready", "skipped"]
    wish = shop.wish("mail")
    await bulk.each(shop.store, events, lambda tx, it: replay(tx, it, wish, by="ana"))
    again = [(j["key"], j["state"]) for j in await shop.jobs(connector="mail")][2:]
    assert again == [("mail:1:r1", "ready"), ("mail:1:r1", "skipped")]


async def test_a_replay_of_nothing_is_refused(shop):
    with pytest.raises(Refused, match="there is no event evt_none"):
        await shop.replay("evt_none")


async def test_who_replayed_what_how_is_recorded(shop):
    event = await shop.emit()
    await shop.do(replay, event, wish=shop.wish("mail"), why="type=shop.*")
    assert await shop.audit() == [("ana", "event.replay", event, "as now: crm, mail (type=shop.*)")]


async def test_events_are_found_by_type_time_and_what_they_are_about(shop, clock):
    start = clock.now()
    first = await shop.emit()
    clock.advance(60)
    second = await shop.emit(type="shop.refunded")
    minute = start + timedelta(seconds=60)
    assert await shop.find(bulk.Events(type="shop.*")) == [first, second]
    assert await shop.find(bulk.Events(type="shop.paid")) == [first]
    assert await shop.find(bulk.Events(since=minute)) == [second]
    assert await shop.find(bulk.Events(until=minute)) == [first]
    assert await shop.find(bulk.Events(about="ord_1")) == []
