"""A store and the model side by side: each deed is done to both, and both must say the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from hub.circuit import Breaker
from hub.effects import Effect, deduped, keyed, unsafe, upsert
from hub.errors import Ambiguous, AuthFailed, RateLimited, Refused, Reject, Retry, Skip
from hub.model import Event, Job, NewJob, Request
from hub.retry import Policy
from hub.verdicts import Verdict, judge
from store import claims, inbox, leases, operate, pauses, settle
from store.inbox import Receipt, Taken
from store.settle import Completion
from store.tx import Tx
from tests.model.halts import FAILURES, Account
from tests.model.plain import LIVE, Known, Model, may_follow
from tests.model.stage import ACCOUNTS, Stage

LEASE = timedelta(seconds=60)
POLICY = Policy(max_age=timedelta(hours=6), max_attempts=6, initial=5, max_wait=600)
BREAKER = Breaker(failures=FAILURES)
EFFECTS = {
    "keyed": keyed(timedelta(hours=4)),
    "upsert": upsert("name"),
    "deduped": deduped(timedelta(hours=4)),
    "unsafe": unsafe,
}
ENDS: dict[str, BaseException] = {
    "skip": Skip("nothing to do"),
    "reject": Reject("no such name"),
    "retry": Retry("503"),
    "ambiguous": Ambiguous("cut"),
    "bug": RuntimeError("a bug"),
    "rate_limited": RateLimited("429", after=5),
    "auth_failed": AuthFailed("401"),
}
MESSAGE = b"{}"


@dataclass
class Node:
    """A worker: the attempts it has in flight, and what it knows of its accounts."""

    name: str
    flights: list[Job] = field(default_factory=list)
    held: set[str] = field(default_factory=set)


@dataclass
class Op:
    """One deed.

    Args:
        expect: Does it to the model; gives what the store must give.
        shape: What is compared of what the store gives.
        then: Told what the store gave.
        again: Where another transaction held rows it leaves some out; so it is done once more.
    """

    work: Callable[[Tx], Any]
    expect: Callable[[], Any]
    kind: str = "duty"
    shape: Callable[[Any], Any] = lambda result: result
    then: Callable[[Any], object] = lambda _result: None
    again: bool = False


class World:
    """The store, the model, and the nodes that work on them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        stage.reset()
        self.model = Model(stage.clock.now)
        self.model.accounts = {name: Account() for name in ACCOUNTS}
        self.nodes = [Node("n1"), Node("n2")]
        self.written = 0

    # -- doing -------------------------------------------------------------------------------------
    def do(self, op: Op) -> Any:
        """Do it to both; both must say the same."""
        result = self.stage.do(op.work, op.kind)
        return self._compare(op, result)

    def overlap(self, first: Op, second: Op, *, patient: bool) -> None:
        """Do the second while the first is not yet committed: as if one came after the other."""
        works = (first.work, first.kind), (second.work, second.kind)
        given, got = self.stage.overlap(*works, patient=patient)
        self._compare(first, given)
        if second.again:
            got = got + self.stage.do(second.work, second.kind)
        self._compare(second, got)

    def _compare(self, op: Op, result: Any) -> Any:
        expected = op.expect()
        assert op.shape(result) == expected, f"store: {op.shape(result)}, model: {expected}"
        op.then(result)
        if op.kind == "receipt":
            self.stage.follow_up()
        self.learn()
        return result

    def learn(self) -> None:
        """Read where the store has put new jobs; in a lane that is the order of writing."""
        if not any(job.new_here for job in self.model.of(*LIVE)):
            return
        found = {row[0]: row[1] for row in self.stage.rows("SELECT uid, id FROM jobs")}
        lanes: dict[Any, int] = {}
        for job in self.model.jobs.values():
            job.id = found.get(job.uid, job.id)
            if job.lane is not None and job.uid in found:
                assert lanes.get(job.lane, 0) < job.id, f"{job.lane} is out of order"
                lanes[job.lane] = job.id

    # -- writing -----------------------------------------------------------------------------------
    def job(self, **more: Any) -> NewJob:
        self.written += 1
        uid = f"job_{self.written:026d}"
        base = {
            "uid": uid, "connector": "crm", "action": "put", "key": uid, "effect": "upsert",
            "payload": MESSAGE, "due_at": self.stage.clock.now(),
        }  # fmt: skip
        made = base | more
        return NewJob(**(made | {"account": made["connector"]}))

    def enqueue(self, new: Sequence[NewJob], kind: str = "change") -> Op:
        return Op(lambda tx: tx.enqueue(*new), lambda: self.model.enqueue(new), kind)

    def receive(self, told: Sequence[tuple[Event, Sequence[NewJob]]]) -> Op:
        self.written += 1
        receipt = Receipt(
            id=f"inb_{self.written:026d}",
            connector="mail",
            request=Request(method="POST", url="/", headers=(), body=str(self.written).encode()),
            received_at=self.stage.clock.now(),
            taken=[Taken(event=event, jobs=jobs) for event, jobs in told],
        )
        return Op(
            lambda tx: inbox.receive(tx, [receipt])[0].fresh,
            lambda: self.model.receive(told),
            "receipt",
        )

    # -- claims and leases -------------------------------------------------------------------------
    def claim(self, node: Node, room: dict[str, int], *, last_first: bool = False) -> Op:
        until = self.stage.clock.now() + LEASE

        def work(tx: Tx) -> list[Job]:
            return claims.claim(tx, room, node=node.name, until=until, last_first=last_first)[0]

        def expect() -> list[Any]:
            jobs = self.model.wanted(room, last_first=last_first)
            trial = {job.uid: self.model.accounts[job.new.account].on_trial for job in jobs}
            self.model.claim(jobs, until=until)
            return [(j.uid, j.attempt, j.failures, self.model.held(j), trial[j.uid]) for j in jobs]

        def shape(jobs: list[Job]) -> list[Any]:
            jobs = sorted(jobs, key=lambda job: job.id)
            return [(j.uid, j.attempt, j.failures, j.held, j.probe) for j in jobs]

        return Op(work, expect, shape=shape, then=node.flights.extend, again=True)

    def renew(self, node: Node) -> Op:
        until = self.stage.clock.now() + LEASE
        held = [(job.id, job.attempt) for job in node.flights]
        return Op(
            lambda tx: sorted(leases.renew(tx, held, until=until)),
            lambda: sorted(self.model.renew(node.flights, until=until)),
        )

    def rescue(self, *, all_of_them: bool = False) -> Op:
        return Op(
            lambda tx: leases.rescue(tx, all_of_them=all_of_them),
            lambda: self.model.rescue(all_of_them=all_of_them),
            again=True,
        )

    # -- ends --------------------------------------------------------------------------------------
    def ended(self, node: Node, job: Job, outcome: str, *, calls: bool = True) -> Completion:
        """Say how an attempt ended, as a runner does."""
        now, verdict = self.stage.clock.now(), self._verdict(job, outcome)
        assert verdict.state in may_follow(job.effect, outcome), (job.effect, outcome, verdict)
        done = Completion(
            job=job, state=verdict.state, outcome=outcome, started_at=now, ms=1,
            due_at=verdict.due_at, used=verdict.used, error=verdict.error, pause=verdict.pause,
            hold=verdict.hold, status=200 if calls else None,
            release=verdict.state == "done" and job.account in node.held,
            breaker=BREAKER if calls and job.account == "crm" else None,
        )  # fmt: skip
        if verdict.hold:
            node.held.add(job.account)
        elif verdict.state == "done":
            node.held.discard(job.account)
        return done

    def _verdict(self, job: Job, outcome: str) -> Verdict:
        now = self.stage.clock.now()
        if outcome == "ok":
            return Verdict(state="done", outcome="ok")
        if outcome == "returned":
            return Verdict(state="ready", outcome="returned", error="cut", due_at=now, used=False)
        effect: Effect = EFFECTS[job.effect]
        return judge(ENDS[outcome], job, effect, POLICY, now=now, sent=False)

    def settle(self, dones: Sequence[Completion]) -> list[bool]:
        """Hand in ends together; both must count the same."""
        told = self.stage.settle(dones)
        expected = self.model.settle(dones)
        assert told == expected, f"store: {told}, model: {expected}"
        self.land(dones)
        self.learn()
        return told

    def settle_one(self, done: Completion) -> Op:
        return Op(
            lambda tx: settle.settle(tx, [done])[0],
            lambda: self.model.settle([done])[0],
            "completion",
            then=lambda _: self.land([done]),
        )

    def settle_with(self, done: Completion, new: Sequence[NewJob]) -> None:
        """End an attempt and write what follows: both or neither."""
        done = replace(done, jobs=new)
        told = self.stage.settle([done])
        holds = self.model.jobs[done.job.uid].holds(done.job)
        if holds:
            self.model.enqueue(new)
            self.learn()
        assert told == self.model.settle([done]) == [holds]
        self.land([done])
        self.learn()

    def land(self, dones: Sequence[Completion]) -> None:
        flown = [done.job for done in dones]
        for node in self.nodes:
            node.flights = [job for job in node.flights if job not in flown]

    # -- hands -------------------------------------------------------------------------------------
    def again(self, job: Known) -> Op:
        work = _refusing(lambda tx: operate.again(tx, job.uid, by="ana"))
        return Op(work, lambda: self.model.again(job), "change")

    def cancel(self, job: Known) -> Op:
        work = _refusing(lambda tx: operate.cancel(tx, job.uid, by="ana"))
        return Op(work, lambda: self.model.cancel(job), "change")

    def by_hand(self, job: Known, state: Any) -> Op:
        def expect() -> bool:
            unsure = job.state == "uncertain"
            if unsure:
                self.model.resolve(job, state)
            return unsure

        work = _refusing(lambda tx: operate.settle_by_hand(tx, job.uid, state, by="ana"))
        return Op(work, expect, "change")

    def resend(self, job: Known, new: NewJob) -> Op:
        def work(tx: Tx) -> bool:
            return settle.supersede(tx, job.uid, new, reason="sent again")

        def expect() -> bool:
            unsure = job.state == "uncertain"
            if unsure:
                job.state = "skipped"  # its heir comes before all that wait behind it
                self.model.enqueue([new])
                self.model.promote(job.lane)
            return unsure

        return Op(work, expect)

    def sweep(self) -> Op:
        return Op(
            lambda tx: [job.uid for job in settle.unsure(tx)],
            lambda: [j.uid for j in sorted(self.model.of("uncertain"), key=lambda job: job.uid)],
        )

    def pause(self, name: str) -> Op:
        account = self.model.accounts[name]
        work = _refusing(lambda tx: pauses.pause(tx, name, by="ana"))
        return Op(work, lambda: account.begin("paused", self.stage.clock.now()))

    def resume(self, name: str) -> Op:
        account = self.model.accounts[name]
        work = _refusing(lambda tx: pauses.resume(tx, name, by="ana"))
        return Op(work, lambda: account.end("paused", self.stage.clock.now()))


def _refusing(work: Callable[[Tx], Any]) -> Callable[[Tx], bool]:
    """Say whether it was done; it refuses before it has changed anything."""

    def done(tx: Tx) -> bool:
        try:
            work(tx)
        except Refused:
            return False
        return True

    return done
