"""`hub verify` holds on a sound store, and names the rows of each planted fault."""

import pytest

from store import verify


async def broken(store) -> set[str]:
    async with store.read() as connection:
        return {one["name"] for one in await verify.verify(connection) if one["broken"]}


async def test_a_sound_store_breaks_nothing(store, job) -> None:
    await store.write(lambda tx: tx.enqueue(job(lane="a"), job(lane="a"), job()))
    assert await broken(store) == set()


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("UPDATE jobs SET state = 'w'", "every lane that waits has a head"),
        ("DELETE FROM job_keys", "every job has its key"),
        ("UPDATE jobs SET attempt = 3", "every attempt of a job at rest is noted"),
        ("UPDATE jobs SET state = 'd'", "every dead or uncertain job says why"),
        (
            "INSERT INTO attempts (job, attempt, started_at, outcome) VALUES ('j', 2, 0, 'ok')",
            "attempts are numbered without gaps",
        ),
        (
            """INSERT INTO events (id, type, connector, origin, occurred_at, recorded_at, jobs_made,
                 inbox_id) VALUES ('evt_1', 't', 'c', 'live', 0, 0, 2, 'inb_1')""",
            "every event has its jobs",
        ),
        (
            """INSERT INTO events (id, type, connector, origin, occurred_at, recorded_at, inbox_id)
                 VALUES ('evt_1', 't', 'c', 'live', 0, 0, 'inb_1')""",
            "every webhook event has its request",
        ),
    ],
)
async def test_a_planted_fault_is_named(store, job, fault, name) -> None:
    await store.write(lambda tx: tx.enqueue(job(lane="a")))
    await store.write(lambda tx: tx.connection.exec_driver_sql(fault))
    assert name in await broken(store)
