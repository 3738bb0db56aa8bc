"""No hot statement reads a table or a lane from end to end, on either store.

Each statement is explained as the writer runs it: SQLite's plan, PostgreSQL's for these values and
its plan for any values, which it may keep. Statistics are as old as those of a table that has
just filled, so there are none; or they are new, and tell of a table that is small.
"""

import re
from collections import defaultdict

import pytest
from sqlalchemy import event, text

from hub.ceiling import Ceiling
from hub.circuit import Breaker
from hub.ids import new_id
from hub.model import Event, Request
from store import leases, schema, sqlite_rows
from store.accounts import spread_retries
from store.inbox import Receipt, Taken
from store.settle import Completion, unsure

VERBS = ("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")
BIG = {"jobs", "job_history", "job_keys", "attempts", "events", "inbox", "dedupe", "h"}
FEW = ("jobs_lease", "jobs_unsure")  # indexes of what is in flight or uncertain alone
NODE = re.compile(
    r"(Seq|Index|Index Only) Scan(?: using (\w+))? on (\w+)(.*?)(?=->|SubPlan|\Z)", re.DOTALL
)


class Watch:
    """Explains every statement that a store's writer runs, and keeps those that read too much."""

    def __init__(self, store) -> None:
        place = store.place
        self.engine = place.writing if place.alone else place.pool.sync_engine
        self.scans = self._sqlite if place.alone else self._postgres
        self.seen, self.found, self.doing = set(), defaultdict(list), ""
        event.listen(self.engine, "before_cursor_execute", self._see)

    def over(self) -> dict[str, list[str]]:
        event.remove(self.engine, "before_cursor_execute", self._see)
        return dict(self.found)

    def _see(self, connection, _cursor, sql, values, _context, many) -> None:
        if sql.split(None, 1)[0].upper() not in VERBS or sql in self.seen or "set_config" in sql:
            return
        self.seen.add(sql)
        for scan in self.scans(connection, sql, values[0] if many else values):
            self.found[self.doing].append(f"{scan}: {' '.join(sql.split())[:2000]}")

    def _sqlite(self, connection, sql, _values):
        driver = connection.connection.driver_connection
        nulls = [None] * sql.count("?")
        for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", nulls):
            words = row[3].split()
            whole = words[0] == "SCAN" or "ANY(" in row[3]
            if whole and words[1] in BIG and not words[-1].startswith(FEW):
                yield row[3]

    def _postgres(self, connection, sql, values):
        run = connection.exec_driver_sql
        run("SET LOCAL plan_cache_mode = force_generic_plan")
        run(f"PREPARE it AS {sql}")
        nulls = ", ".join(["NULL"] * len(values))
        plans = [run(f"EXPLAIN EXECUTE it{f'({nulls})' if nulls else ''}")]
        run("DEALLOCATE it")
        run("SET LOCAL plan_cache_mode = auto")
        plans.append(run(f"EXPLAIN {sql}", values))
        for plan in plans:
            for how, index, table, rest in NODE.findall("\n".join(plan.scalars())):
                whole = how == "Seq" or "Index Cond" not in rest
                if whole and table in BIG and index not in FEW:
                    yield f"{how} Scan {index} on {table}"


@pytest.fixture
async def filled(store, job):
    """A store in which much waits, much is due, much is held and much is over."""
    if not store.place.alone:  # or statistics come while it fills, on a slow machine
        off = text("ALTER TABLE jobs SET (autovacuum_enabled = false)")
        await store.write(lambda tx: tx.run(off))
    many = range(1000)
    await store.write(lambda tx: tx.enqueue(*(job(lane="busy") for _ in many)))
    await store.write(lambda tx: tx.enqueue(*(job(route="receipt") for _ in many)))
    for _ in range(2):
        made = [job(lane=f"l{n}", connector="mail", route="wrong") for n in many]
        await store.write(lambda tx, made=made: tx.enqueue(*made))
    return store


async def play(store, job, watch) -> None:
    """Do once all that a busy hub does all the time."""
    now, until = store.clock.now(), store.clock.now().replace(year=2030)

    def done(one, state="done", **more):
        told = {"outcome": "ok", "started_at": now, "ms": 1, "breaker": Breaker()}
        return Completion(job=one, state=state, **(told | more))

    async def claim(**how):
        return (await store.claim({"mail": 200}, node="n", until=until, **how))[0]

    watch.doing = "receive"
    told = Event(id=new_id("evt", now), type="mail.sent", at=now, data={}, ext_id="1",
                 connector="mail", job=new_id("job", now))  # fmt: skip
    request = Request(method="POST", url="/", headers=(), body=b"{}")
    jobs = [job(lane=f"l{n}", connector="mail", event_id=told.id) for n in range(50)]
    await store.receive(
        Receipt(id=new_id("inb", now), connector="mail", request=request, received_at=now,
                taken=[Taken(event=told, jobs=[*jobs, job(), job(connector="mail")])])
    )  # fmt: skip
    watch.doing = "claim"
    claimed = await claim()
    assert len(claimed) == 200
    watch.doing = "renew"
    flights = [(one.id, one.attempt) for one in claimed]
    assert len(await store.write(lambda tx: leases.renew(tx, flights, until=until))) == 200
    watch.doing = "settle"
    ends = [done(one) for one in claimed[:20]]
    ends += [done(one, "ready", outcome="retry", due_at=now) for one in claimed[20:40]]
    ends += [done(one, "dead", outcome="reject", error="no") for one in claimed[40:60]]
    ends += [done(one, "uncertain", outcome="ambiguous") for one in claimed[60:80]]
    for one in ends:
        assert await store.settle(one)
    watch.doing = "resolve"
    await store.write(unsure)
    watch.doing = "rescue"
    await store.write(lambda tx: tx.run(text("UPDATE jobs SET lease_until = 0 WHERE state = 'l'")))
    assert await store.write(leases.rescue) == 120
    watch.doing = "spread"
    await store.write(lambda tx: spread_retries(tx, "mail"))
    watch.doing = "hold"
    await store.write(lambda tx: tx.run(text("UPDATE accounts SET breaker_since = NULL")))
    assert await claim(ceiling_of=lambda *_: Ceiling(per_hour=10))
    await store.write(lambda tx: tx.enqueue(job(connector="mail", route="wrong")))
    assert await claim(ceiling_of=lambda *_: Ceiling(per_hour=10)) == []


@pytest.mark.parametrize("statistics", ["none", "new"])
async def test_nothing_that_is_done_all_the_time_reads_from_end_to_end(
    filled, job, statistics
) -> None:
    if statistics == "new":
        await filled.write(lambda tx: tx.run(text("ANALYZE jobs")))
    watch = Watch(filled)
    await play(filled, job, watch)
    assert watch.over() == {}
    assert len(watch.seen) > 20


LOST = {
    "jobs_claim": "claim",
    "jobs_wait": "settle",
    "jobs_lease": "rescue",
    "jobs_unsure": "resolve",
}


@pytest.mark.parametrize("index", LOST)
async def test_a_lost_index_shows(filled, job, index) -> None:
    [made] = [one for one in schema.jobs.indexes if one.name == index]
    await filled.write(lambda tx: made.drop(tx.connection))
    try:
        watch = Watch(filled)
        await play(filled, job, watch)
        assert watch.over()[LOST[index]]
    finally:
        await filled.write(lambda tx: made.create(tx.connection))


async def test_keys_are_looked_up_whole_whatever_is_known_of_their_table(filled, job) -> None:
    """A connector has millions of them: its name alone finds too many."""
    if not filled.place.alone:
        pytest.skip("PostgreSQL inserts them and says which were new")
    now = filled.clock.now()
    for n in range(2):  # one of each kind, for the statistics
        receipt = Receipt(id=new_id("inb", now), connector="mail", received_at=now,
                          request=Request(method="POST", url="/", headers=(), body=b"%d" % n),
                          taken=[])  # fmt: skip
        await filled.receive(receipt)
    await filled.write(lambda tx: tx.run(text("ANALYZE")))
    looks = [sqlite_rows._finding("dedupe", ("connector", "key16"), n) for n in (1, 2, 64)]
    for sql in looks:
        driver = filled.place.writing.raw_connection()
        plan = driver.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
        driver.close()
        assert any("connector=? AND key16=?" in row[3] for row in plan), plan
