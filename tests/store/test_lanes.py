"""Lanes that stand still are listed, with what holds them and how many wait, on both stores."""

from datetime import timedelta

from store import lanes, operate
from store.settle import Completion


async def stands(store, **which) -> list[tuple[str, ...]]:
    async with store.read() as connection:
        found = await lanes.blocked(connection, **which)
    return [(row["lane"], row["job"], row["state"], row["waiting"], row["error"]) for row in found]


async def test_what_holds_a_lane_is_listed_until_it_is_let_go(store, clock, job) -> None:
    blocking = [job(lane="a", blocks=True), *(job(lane="a") for _ in range(3))]
    going_on = [job(lane="b"), job(lane="b")]
    unsure = [job(lane="c", effect="unsafe", connector="mail")]
    alone = job(blocks=True)
    await store.write(lambda tx: tx.enqueue(*blocking, *going_on, *unsure, alone))
    until = clock.now() + timedelta(seconds=60)
    taken, _ = await store.claim({"crm": 9, "mail": 9}, node="n1", until=until)
    assert await stands(store) == []
    for one in taken:
        state = "uncertain" if one.effect == "unsafe" else "dead"
        done = Completion(
            job=one, state=state, started_at=clock.now(), ms=1, outcome="reject", error="no"
        )
        assert await store.settle(done)
    assert await stands(store) == [
        ("a", blocking[0].uid, "dead", 3, "no"),
        ("c", unsure[0].uid, "uncertain", 0, "no"),
    ]
    assert [row[0] for row in await stands(store, connector="mail")] == ["c"]
    assert [row[0] for row in await stands(store, limit=1)] == ["a"]
    await store.change(lambda tx, _: operate.cancel(tx, blocking[0].uid, by="ana"), None)
    assert [row[0] for row in await stands(store)] == ["c"]
