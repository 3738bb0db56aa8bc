"""What must hold after each step: the store is as the model says, `hub verify` finds nothing."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from store.schema import EPOCH, MICROSECOND
from tests.model.plain import LIVE, Known
from tests.model.stage import BROKEN, SHOWN
from tests.model.world import World

CODES = {
    "w": "waiting", "r": "ready", "l": "leased", "u": "uncertain", "d": "dead", "b": "blocked",
}  # fmt: skip


def check(world: World) -> None:
    """Raise unless everything holds."""
    jobs = list(map(tuple, world.stage.rows(SHOWN["jobs"])))
    _lanes(jobs)
    _jobs(world, jobs)
    _attempts(world)
    broken = [row for row in map(tuple, world.stage.rows(BROKEN)) if row[1]]
    assert broken == [], broken


def _lanes(rows: list[Any]) -> None:
    """At most one head, so one in flight, in a lane; none waits without."""
    lanes = defaultdict(list)
    for row in rows:
        if row[3] is not None:
            lanes[row[2], row[3]].append((row[1], CODES[row[4]]))
    for lane, jobs in lanes.items():
        states = Counter(state for _, state in jobs)
        heads = states.total() - states["waiting"] - states["dead"]
        assert heads <= 1, f"{lane} has {heads} heads: {jobs}"
        assert heads == 1 or not states["waiting"], f"{lane} is stuck: {jobs}"


def _jobs(world: World, rows: list[Any]) -> None:
    """Every job ever written is where the model has it, once."""
    live = {row[0]: (row[1], CODES[row[4]], *row[5:]) for row in rows}
    over = [tuple(row) for row in world.stage.rows(SHOWN["history"])]
    wanted_live = {j.uid: _live(j) for j in world.model.jobs.values() if j.state in LIVE}
    wanted_over = {(j.uid, j.state, j.attempt) for j in world.model.jobs.values()} - {
        (j.uid, j.state, j.attempt) for j in world.model.of(*LIVE)
    }
    assert live == wanted_live, _told(live, wanted_live)
    assert len(over) == len(set(over)), over
    assert set(over) == wanted_over, set(over) ^ wanted_over


def _live(job: Known) -> tuple[object, ...]:
    due, first = _micro(job.due_at), _micro(job.first_at)
    return job.id, job.state, job.prio, due, job.attempt, job.failures, first


def _micro(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MICROSECOND


def _attempts(world: World) -> None:
    """The attempts of each job are numbered from 1, and say what became of each."""
    found = defaultdict(list)
    for uid, outcome in world.stage.rows(SHOWN["attempts"]):
        found[uid].append(outcome)
    wanted = {job.uid: job.outcomes for job in world.model.jobs.values() if job.outcomes}
    assert dict(found) == wanted, _told(dict(found), wanted)


def _told(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name what differs, and how."""
    uids = [uid for uid in found.keys() | wanted.keys() if found.get(uid) != wanted.get(uid)]
    return "; ".join(f"{u}: store {found.get(u)}, model {wanted.get(u)}" for u in sorted(uids))
