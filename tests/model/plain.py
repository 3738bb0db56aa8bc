"""What jobs do, as plain Python: lists and dicts, no SQL, no locks, nothing to optimise.

Written from the rules alone (states, outcomes, lanes, keys, holds); the store is measured by it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.model import Event, Job, NewJob
from hub.retry import Policy, delay
from store.leases import MOST_LOST
from store.settle import Completion
from tests.model.halts import Account

HEADS = ("ready", "leased", "uncertain", "blocked")
LIVE = ("waiting", *HEADS, "dead")
BY_CLASS = (0, 1, 2)
UNKNOWN = 10**9

# What may follow from an attempt, by what repeating its action does.
REPEATABLE = {"ready", "dead"}
AFTER: Mapping[str, Mapping[str, set[str]]] = {
    "unsafe": {"ambiguous": {"uncertain"}},
    "keyed": {
        "ambiguous": {"ready", "uncertain"},
        "retry": REPEATABLE | {"uncertain"},
        "bug": REPEATABLE | {"uncertain"},
    },
    "": {
        "ok": {"done"},
        "skip": {"skipped"},
        "reject": {"dead"},
        "retry": REPEATABLE,
        "ambiguous": REPEATABLE,
        "bug": REPEATABLE,
        "rate_limited": {"ready"},
        "auth_failed": {"ready"},
        "returned": {"ready"},
    },
}
UNUSED = ("rate_limited", "auth_failed", "returned")


def may_follow(effect: str, outcome: str) -> set[str]:
    """Give the states in which a job may be after an attempt."""
    return AFTER.get(effect, {}).get(outcome) or AFTER[""][outcome]


@dataclass(eq=False)
class Known:
    """A job as the model knows it; `id` is where the store has put it, read once."""

    new: NewJob
    state: str
    prio: int
    due_at: datetime
    id: int = 0
    attempt: int = 0
    failures: int = 0
    first_at: datetime | None = None
    lease_until: datetime | None = None
    outcomes: list[str] = field(default_factory=list)

    @property
    def uid(self) -> str:
        return self.new.uid

    @property
    def lost_in_a_row(self) -> int:
        return next(
            (n for n, o in enumerate(reversed(self.outcomes)) if o != "lost"), len(self.outcomes)
        )

    @property
    def new_here(self) -> bool:
        """Say whether nobody has looked yet where the store has put it."""
        return self.id >= UNKNOWN

    @property
    def lane(self) -> tuple[str, str] | None:
        return (self.new.connector, self.new.lane) if self.new.lane is not None else None

    def holds(self, flight: Job) -> bool:
        """Say whether an attempt still has its lease."""
        return self.state == "leased" and self.attempt == flight.attempt


@dataclass
class Model:
    """Every job ever written, the keys taken, the accounts, and what events told."""

    now: Callable[[], datetime]
    jobs: dict[str, Known] = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    seen: set[tuple[str, str]] = field(default_factory=set)
    told: dict[str, bool] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    # -- lanes -------------------------------------------------------------------------------------
    def of(self, *states: str) -> list[Known]:
        return [job for job in self.jobs.values() if job.state in states]

    def head(self, lane: tuple[str, str] | None) -> Known | None:
        return next((job for job in self.of(*HEADS) if job.lane == lane), None) if lane else None

    def promote(self, lane: tuple[str, str] | None) -> None:
        """Give a lane without a head its oldest waiting job."""
        waiting = [job for job in self.of("waiting") if job.lane == lane]
        if lane and waiting and self.head(lane) is None:
            first = min(waiting, key=lambda job: job.id)
            first.state, first.due_at = "ready", max(first.due_at, self.now())

    def leave(self, job: Known, state: str) -> None:
        """Take a job to a state that holds no lane, and let its lane go on."""
        job.state = state
        self.promote(job.lane)

    def die(self, job: Known) -> None:
        if job.new.blocks:
            job.state = "blocked"
        else:
            self.leave(job, "dead")

    # -- writing -----------------------------------------------------------------------------------
    def enqueue(self, new: Iterable[NewJob]) -> None:
        for one in new:
            key = (one.connector, one.key)
            state = self._birth(one) if key not in self.keys else "skipped"
            self.keys.add(key)
            self.jobs[one.uid] = Known(
                one, state, one.prio, one.due_at, id=UNKNOWN + len(self.jobs)
            )

    def _birth(self, new: NewJob) -> str:
        lane = (new.connector, new.lane) if new.lane is not None else None
        if new.state != "ready":
            return new.state
        return "waiting" if self.head(lane) else "ready"

    def receive(self, told: Sequence[tuple[Event, Sequence[NewJob]]]) -> int:
        """Take events in, each once; gives how many were new."""
        fresh = []
        for event, jobs in told:
            known = (event.connector, str(event.ext_id))
            if known not in self.seen:
                self.seen.add(known)
                fresh.append((event, jobs))
        for event, jobs in fresh:
            if event.job is not None:
                self.told[event.job] = self.told.get(event.job, False) or event.failed
            self.enqueue(jobs)
        self.hear()
        return len(fresh)

    def hear(self) -> None:
        """Settle the uncertain jobs that events speak of."""
        for job in self.of("uncertain"):
            if job.uid in self.told:
                self.resolve(job, "dead" if self.told[job.uid] else "done")

    def resolve(self, job: Known, state: str) -> None:
        if state == "dead":
            self.die(job)
        else:
            self.leave(job, state)

    # -- claiming ----------------------------------------------------------------------------------
    def due(self, account: str, prio: int) -> list[Known]:
        """Give the jobs of an account and class that may be claimed, the first first."""
        found = [
            job
            for job in self.of("ready")
            if (job.new.account, job.prio) == (account, prio) and job.due_at <= self.now()
        ]
        return sorted(found, key=lambda job: (job.due_at, job.id))

    def wanted(self, room: Mapping[str, int], *, last_first: bool) -> list[Known]:
        """Say which jobs a claim must lease."""
        found: list[Known] = []
        for name, most in sorted(room.items()):
            account = self.accounts[name]
            classes = reversed(BY_CLASS) if last_first else BY_CLASS
            due = [job for prio in classes for job in self.due(name, prio)]
            found += due[: account.room(most, self.now())]
        return sorted(found, key=lambda job: job.id)

    def claim(self, jobs: Sequence[Known], *, until: datetime) -> None:
        for job in jobs:
            self.accounts[job.new.account].claimed(until)
            job.state, job.lease_until = "leased", until
            job.attempt += 1
            job.first_at = job.first_at or self.now()

    def held(self, job: Known) -> timedelta:
        """Say for how long a job's account was halted since its first attempt that counts."""
        return self.accounts[job.new.account].halted(job.first_at, self.now())

    def renew(self, flights: Sequence[Job], *, until: datetime) -> set[tuple[int, int]]:
        kept = [job for job in flights if self.jobs[job.uid].holds(job)]
        for job in kept:
            self.jobs[job.uid].lease_until = until
        return {(job.id, job.attempt) for job in kept}

    # -- ends --------------------------------------------------------------------------------------
    def settle(self, dones: Sequence[Completion]) -> list[bool]:
        told = [self.jobs[done.job.uid].holds(done.job) for done in dones]
        counted = [done for done, holds in zip(dones, told, strict=True) if holds]
        for done in counted:
            self._settle(done, self.jobs[done.job.uid])
        for name in sorted({done.job.account for done in counted}):
            of_it = [done for done in counted if done.job.account == name]
            if self.accounts[name].told(of_it, self.now()):
                self._spread(name)
        self.hear()
        return told

    def _settle(self, done: Completion, job: Known) -> None:
        job.outcomes.append(done.outcome)
        if done.state in ("done", "skipped"):
            self.leave(job, done.state)
            return
        job.due_at = done.due_at or self.now()
        if done.outcome in UNUSED:
            job.first_at = job.first_at if job.failures else None
        else:
            job.failures, job.prio = job.failures + 1, 1
        if done.state == "dead":
            self.die(job)
        else:
            job.state = done.state

    def _spread(self, account: str) -> None:
        """Let retries of a mended account fall due over the next minute."""
        for job in self.of("ready"):
            if job.new.account == account and job.prio == 1:
                job.due_at = self.now() + timedelta(milliseconds=job.id * 7919 % 60_000)

    def rescue(self, *, all_of_them: bool = False) -> int:
        over = [j for j in self.of("leased") if all_of_them or self._over(j)]
        for job in over:
            job.outcomes.append("lost")
            job.failures, job.prio = job.failures + 1, 1
            lost = min(job.failures, job.lost_in_a_row)
            wait = delay(Policy(), job.uid, lost - 1) if 1 < lost < MOST_LOST else 0.0
            job.due_at = self.now() + timedelta(seconds=wait)
            self._taken_back(job, lost)
        self.hear()
        return len(over)

    def _taken_back(self, job: Known, lost: int) -> None:
        """Try again what may be repeated, until it has been lost too often."""
        if job.new.effect == "unsafe" or (job.new.effect == "keyed" and lost >= MOST_LOST):
            job.state = "uncertain"
        elif lost >= MOST_LOST:
            self.die(job)
        else:
            job.state = "ready"

    def _over(self, job: Known) -> bool:
        return job.lease_until is not None and job.lease_until < self.now()

    # -- a person's hands --------------------------------------------------------------------------
    def again(self, job: Known) -> bool:
        if job.state not in ("dead", "blocked") or job.new.payload is None:
            return False
        job.due_at, job.prio, job.failures, job.first_at = self.now(), 0, 0, None
        waits = job.state == "dead" and job.lane is not None
        job.state = "waiting" if waits else "ready"
        self.promote(job.lane)
        return True

    def cancel(self, job: Known) -> bool:
        if job.state not in LIVE or job.state == "leased":
            return False
        self.leave(job, "cancelled")
        return True
