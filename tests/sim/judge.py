"""The judgement: by the provider's own ledger, and by what the store says of each job."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.model import NewJob, read_json
from tests.model.stage import BROKEN
from tests.sim.provider import Ledger

STATES = "SELECT uid, state FROM jobs UNION ALL SELECT uid, state FROM job_history"  # each job once
WELL = "SELECT job, count(*) FROM attempts WHERE outcome = 'ok' GROUP BY job"


def judged(connection: Connection, written: Sequence[NewJob], ledger: Ledger) -> list[str]:
    """Say what is wrong; nothing, where all is as it must be."""
    driver: Any = connection.connection.driver_connection
    found: dict[str, list[str]] = defaultdict(list)
    for uid, state in driver.execute(STATES):
        found[uid].append(state)
    broken = [f"verify: {name} ({count})" for name, count in driver.execute(BROKEN) if count]
    twice = [f"{uid} done {count} times" for uid, count in driver.execute(WELL) if count > 1]
    jobs = [one for job in written for one in _job(job, found[job.uid], ledger.effects[job.uid])]
    return [*broken, *twice, *jobs, *_order(ledger)]


def _job(job: NewJob, states: list[str], effects: int) -> Iterator[str]:
    """Judge one job."""
    name = f"{job.action} {job.uid}"
    bad = read_json(job.payload or b"")["bad"]
    ends = {"d"} if bad else {"done"}
    if job.action == "mail":
        ends = {"done"} if effects else {"d"}
    if len(states) != 1:
        yield f"{name} is {len(states)} times there"
    elif states[0] not in ends:
        yield f"{name} ended {states[0]}"
    if job.action in ("mail", "pay") and effects > 1:
        yield f"{name} took effect {effects} times"
    if states == ["done"] and effects == 0:
        yield f"{name} is done but took no effect"


def _order(ledger: Ledger) -> Iterator[str]:
    """See that no lane's job was called again once a later one was."""
    latest: dict[str, int] = {}
    for job, lane, number in ledger.calls:
        if lane is not None and number < latest.get(lane, -1):
            yield f"{job} overtook the order of lane {lane}"
        if lane is not None:
            latest[lane] = max(number, latest.get(lane, -1))
