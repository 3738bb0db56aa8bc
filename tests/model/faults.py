"""Faults to plant in the store: each breaks one rule, and the machine must notice each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, func, select, text, update

from store import claims, ending, jobs, leases, operate, pauses, postgres, settle
from store.ending import Ending
from store.jobs import OF_JOB
from store.schema import accounts, job_keys
from store.schema import jobs as rows

BOTH, SERVER = ("sqlite", "postgres"), ("postgres",)
Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        stores: Where it can do harm: some need two writers.
    """

    name: str
    plant: Callable[[Patch], None]
    stores: Sequence[str] = BOTH


FAULTS: list[Fault] = []


def fault(name: str, stores: Sequence[str] = BOTH) -> Callable[[Any], Any]:
    """Note a fault under its name."""

    def noted(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        FAULTS.append(Fault(name, plant, stores))
        return plant

    return noted


# -- fences ----------------------------------------------------------------------------------------
@fault("a settle looks at the state only")
def state_only(patch: Patch) -> None:
    def fenced(tx: Any, ended: Sequence[Any]) -> list[Any]:
        leased = rows.c.id.in_([job.id for job in ended]), rows.c.state == "l"
        found = {row.id: row for row in tx.rows(select(rows).where(*leased).with_for_update())}
        return [found.pop(job.id, None) for job in ended]

    patch.setattr(settle, "_fenced", fenced)
    patch.setattr(settle, "_holds", lambda *_: True)


@fault("a settle looks at the id only")
def id_only(patch: Patch) -> None:
    def fenced(tx: Any, ended: Sequence[Any]) -> list[Any]:
        given = rows.c.id.in_([job.id for job in ended])
        found = {row.id: row for row in tx.rows(select(rows).where(given).with_for_update())}
        return [found.pop(job.id, None) for job in ended]

    patch.setattr(settle, "_fenced", fenced)
    patch.setattr(settle, "_holds", lambda *_: True)


# -- keys ------------------------------------------------------------------------------------------
@fault("no key is unique")
def no_unique_key(patch: Patch) -> None:
    real = jobs._own_keys

    def own(tx: Any, new: Sequence[Any], told: Any) -> set[str]:
        return {job.uid for job in new} | real(tx, new, told)

    patch.setattr(jobs, "_own_keys", own)


@fault("a key is looked up, then taken", SERVER)
def check_then_act(patch: Patch) -> None:
    def own(tx: Any, new: Sequence[Any], told: Any) -> set[str]:
        taken = {(r.connector, r.key16) for r in tx.rows(select(job_keys))}
        real = jobs_own(tx, new, told)
        free = {j.uid for j in new if (j.connector, jobs.key16(j.key)) not in taken}
        twins = {j.uid for j in new if sum(o.key == j.key for o in new) > 1}
        return (free - twins) | real

    jobs_own = jobs._own_keys
    patch.setattr(jobs, "_own_keys", own)


@fault("a duplicate of a key vanishes")
def duplicates_vanish(patch: Patch) -> None:
    class Forgetful:
        def __init__(self, tx: Any) -> None:
            self.tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self.tx, name)

        def add(self, table: Any, values: Any) -> None:
            self.tx.add(table, [v for v in values if v["reason"] != "duplicate key"])

    real = jobs.enqueue
    patch.setattr(jobs, "enqueue", lambda tx, *parts: real(Forgetful(tx), *parts))


# -- leases ----------------------------------------------------------------------------------------
@fault("a lease is never renewed")
def never_renewed(patch: Patch) -> None:
    def renew(tx: Any, held: Sequence[tuple[int, int]], *, until: Any) -> set[tuple[int, int]]:
        flying = tx.rows(select(rows.c.id, rows.c.attempt).where(rows.c.state == "l"))
        return {(row.id, row.attempt) for row in flying} & set(held)

    patch.setattr(leases, "renew", renew)


@fault("a rescue sends what is unsafe again")
def unsafe_again(patch: Patch) -> None:
    real = leases._taken_back
    patch.setattr(leases, "_taken_back", lambda tx, row, lost: real(tx, row, lost) | {"state": "r"})


@fault("a rescue notes no attempt")
def unnoted(patch: Patch) -> None:
    class Quiet:
        def __init__(self, tx: Any) -> None:
            self.tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self.tx, name)

        def add(self, table: Any, values: Any) -> None:
            pass

    real = leases.rescue
    patch.setattr(leases, "rescue", lambda tx, **how: real(Quiet(tx), **how))


# -- lanes -----------------------------------------------------------------------------------------
@fault("who writes a job does not hold its lane", SERVER)
def no_share(patch: Patch) -> None:
    looking = postgres._HOLD_HEADS._clone()
    looking._for_update_arg = None
    patch.setattr(postgres, "_HOLD_HEADS", looking)


@fault("the next head is found in the statement that locks the last", SERVER)
def same_statement(patch: Patch) -> None:
    after = rows.alias("after")
    behind = after.c.connector == rows.c.connector, after.c.lane == rows.c.lane
    waits = select(func.min(after.c.id)).where(*behind, after.c.state == "w")
    found: dict[Any, Any] = {}

    class Looking:
        """Asks for the follower along with the job."""

        def __init__(self, tx: Any) -> None:
            self.tx, self.patient = tx, tx.patient
            found.clear()

        def rows(self, statement: Any, values: Any) -> Any:
            if statement._for_update_arg is None:
                return self.tx.rows(statement, values)
            asking = statement.add_columns(waits.scalar_subquery().label("after"))
            got = self.tx.rows(asking, values)
            found.update({(row.connector, row.lane): row.after for row in got})
            return got

    def promoted(tx: Any, lanes: Any) -> None:
        for lane in sorted({lane for lane in lanes if lane[1] is not None}):
            if lane in found:
                tx.run(this_one, {"this": found.pop(lane), "now": tx.now})
            else:
                promote(tx, [lane])

    this_one = update(rows).where(rows.c.id == bindparam("this")).values(ending._PROMOTE._values)
    fenced, promote = settle._fenced, ending.promote
    patch.setattr(settle, "_fenced", lambda tx, ended: fenced(Looking(tx), ended))
    patch.setattr(settle, "promote", promoted)
    patch.setattr(ending, "promote", promoted)


@fault("a lane goes on though its dead job blocks it")
def blocks_ignored(patch: Patch) -> None:
    def moved(tx: Any, done: Any, row: Any) -> dict[str, Any]:
        change = real(tx, done, row)
        return change | {"state": "d" if change["state"] == "b" else change["state"]}

    def go_on(tx: Any, settled: Sequence[Any]) -> None:
        real_go_on(tx, settled)
        ending.promote(tx, [(r.connector, r.lane) for d, r in settled if d.state == "dead"])

    real, real_go_on = settle._moved, settle._go_on
    patch.setattr(settle, "_moved", moved)
    patch.setattr(settle, "_go_on", go_on)


@fault("a cancelled head leaves its lane without one")
def cancel_strands(patch: Patch) -> None:
    def end(tx: Any, endings: Sequence[Ending]) -> None:
        if [one.state for one in endings] != ["cancelled"]:
            real(tx, endings)
            return
        tx.ways.keep_ended(tx.connection, [ending._ended(one) for one in endings], at=tx.now)
        tx.run(delete(rows).where(rows.c.id == endings[0].row.id))

    real = operate.end
    patch.setattr(operate, "end", end)


@fault("the newest of a lane is promoted, not the oldest")
def newest_first(patch: Patch) -> None:
    last = select(func.max(rows.c.id)).where(
        rows.c.connector == bindparam("of"), rows.c.lane == bindparam("freed"), rows.c.state == "w"
    )
    newest = update(rows).where(rows.c.id == last.scalar_subquery())
    patch.setattr(ending, "_PROMOTE", newest.values(ending._PROMOTE._values))


# -- claims ----------------------------------------------------------------------------------------
@fault("a claim takes jobs that are not due")
def not_due(patch: Patch) -> None:
    patch.setattr(claims, "_is_due", lambda _taking, row: row.due_at is not None)
    whole = claims._free.element
    kept = [one for one in whole.whereclause.clauses if "due_at" not in str(one)]
    _claim_of(patch, whole.with_only_columns(rows.c.id), kept)


@fault("a claim takes jobs of a paused account")
def paused_claimed(patch: Patch) -> None:
    due = claims._due
    due = due._clone()
    due._where_criteria = ()
    patch.setattr(claims, "_due", due)


@fault("a held account is claimed as if it were well")
def hold_ignored(patch: Patch) -> None:
    patch.setattr(claims, "on_trial", lambda _row: False)


@fault("two nodes may claim the same job")
def claimed_twice(patch: Patch) -> None:
    """Let a claim take leased jobs too, as one that trusts a list read before."""
    whole = claims._free.element
    kept = [one for one in whole.whereclause.clauses if "state" not in str(one)]
    _claim_of(patch, whole, [*kept, text("state IN ('r', 'l')")])


def _claim_of(patch: Patch, whole: Any, conditions: Sequence[Any]) -> None:
    free = whole._clone()
    free._where_criteria = tuple(conditions)
    chosen = update(rows).where(rows.c.id.in_(select(free.cte("free").c.id)))
    patch.setattr(claims, "_CLAIM", chosen.values(claims._CLAIM._values).returning(*OF_JOB))


# -- outcomes --------------------------------------------------------------------------------------
@fault("a rate limit uses up an attempt")
def limit_counts(patch: Patch) -> None:
    real = settle._moved
    patch.setattr(
        settle,
        "_moved",
        lambda tx, done, row: real(tx, replace(done, used=True), row),
    )


@fault("a pause ages the jobs that wait")
def pause_ages(patch: Patch) -> None:
    def resume(tx: Any, account: str, *, by: str) -> Any:
        before = pauses._row(tx, account)
        lasted = real(tx, account, by=by)
        tx.run(update(accounts).where(accounts.c.account == account).values(held=before.held))
        return lasted

    real = pauses.resume
    patch.setattr(pauses, "resume", resume)


@fault("the provider's word is not heard while a job is in flight")
def echo_missed(patch: Patch) -> None:
    patch.setattr(settle, "resolve_from_events", lambda _tx, _uids: None)
    patch.setattr(leases, "resolve_from_events", lambda _tx, _uids: None)


@fault("a job tried again goes to the end of its lane")
def again_last(patch: Patch) -> None:
    def again(tx: Any, uid: str, **how: Any) -> str:
        done: str = real(tx, uid, **how)
        top = tx.rows(select(func.max(rows.c.id)))[0][0]
        mine = rows.c.uid == uid, rows.c.state == "w"
        tx.run(update(rows).where(*mine).values(id=top + 1))
        return done

    real = operate.again
    patch.setattr(operate, "again", again)
