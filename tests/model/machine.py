"""The state machine: every deed the engine knows, in any order, on a store and on the model."""

from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from hub.model import Job, NewJob
from store.settle import Completion
from tests.model.checks import check
from tests.model.plain import LIVE, Known
from tests.model.stage import ACCOUNTS, Stage
from tests.model.world import EFFECTS, Node, Op, World

CONNECTORS = st.sampled_from(ACCOUNTS)
LANES = st.sampled_from([None, "a", "a", "b"])
KINDS = st.sampled_from(sorted(EFFECTS))
PICK = st.integers(0, 31)
ROOM = st.sampled_from([1, 2, 20])
LATER = st.sampled_from([0, 0, 0, 0, 3, 90])
SORTS = st.tuples(LANES, KINDS, st.booleans(), LATER)
WRITING = st.lists(SORTS, min_size=1, max_size=3)
UNSAFE = 5  # makes Machine.flight write an unsafe job


class Machine(RuleBasedStateMachine):
    """One run: a fresh store, an empty model, two nodes. Its rules are in `Deeds`."""

    stage: ClassVar[Stage]
    runs: ClassVar[list[Counter[str]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.stage)
        self.model = self.world.model
        self.tally: Counter[str] = Counter()
        type(self).runs.append(self.tally)

    @invariant()
    def holds(self) -> None:
        self.tally["steps"] += 1
        check(self.world)

    # -- choosing ----------------------------------------------------------------------------------
    def jobs(self, connector: str, sorts: list[Any]) -> list[NewJob]:
        now = self.stage.clock.now()
        return [
            self.world.job(
                connector=connector, lane=lane, effect=effect, blocks=blocks,
                due_at=now + timedelta(seconds=later),
            )
            for lane, effect, blocks, later in sorts
        ]  # fmt: skip

    def flights(self, *, lost: bool = False) -> list[tuple[Node, Job]]:
        """Give the attempts that hold their lease, or those that lost it."""
        return [
            (node, job)
            for node in self.world.nodes
            for job in node.flights
            if self.model.jobs[job.uid].holds(job) != lost
        ]

    # -- what a deed needs, made where there is none -----------------------------------------------
    def free(self, name: str) -> None:
        """See that an account can be claimed."""
        account, now = self.model.accounts[name], self.stage.clock.now()
        if account.halt("paused"):
            self.world.do(self.world.resume(name))
        gates = [account.paused_until or now, account.probe_at or now if account.on_trial else now]
        self.stage.clock.advance(max((max(gates) - now).total_seconds(), 0))

    def flight(self, pick: int) -> tuple[Node, Job]:
        """Give an attempt that holds its lease."""
        if not self.flights():
            name, effect = at(ACCOUNTS, pick), at(sorted(EFFECTS), pick // 2)
            self.free(name)
            made = self.jobs(name, [(None, effect, pick > 15, 0)])
            self.world.do(self.world.enqueue(made))
            self.world.do(self.world.claim(at(self.world.nodes, pick), {name: 20}))
        return at(self.flights(), pick)

    def lost(self, pick: int) -> tuple[Node, Job]:
        """Give an attempt that lost its lease."""
        if not self.flights(lost=True):
            self.flight(pick)
            self.stage.clock.advance(61)
            self.world.do(self.world.rescue())
        return at(self.flights(lost=True), pick)

    def unsure(self, pick: int) -> Known:
        """Give an uncertain job."""
        while not self.model.of("uncertain"):
            node, job = self.flight(UNSAFE)
            outcome = "ambiguous" if job.effect == "unsafe" else "ok"
            self.world.settle([self.world.ended(node, job, outcome, calls=False)])
        return at(self.model.of("uncertain"), pick)

    def over(self, pick: int) -> Known:
        """Give a dead job."""
        if not self.model.of("dead", "blocked"):
            node, job = self.flight(pick)
            self.world.settle([self.world.ended(node, job, "reject")])
        return at(self.model.of("dead", "blocked"), pick)

    # -- two at once -------------------------------------------------------------------------------
    def busy_lane(self, name: str) -> None:
        """See that the head of a lane is in flight."""
        lane = ("crm", name)
        while (head := self.model.head(lane)) is None or head.state != "leased":
            self.free("crm")
            if head is None:
                self.world.do(self.world.enqueue(self.jobs("crm", [(name, "upsert", False, 0)])))
            elif head.state == "ready":
                late = (head.due_at - self.stage.clock.now()).total_seconds()
                self.stage.clock.advance(max(late, 0))
                self.world.do(self.world.claim(self.world.nodes[0], {"crm": 50}))
                self.end_trial("crm")
            else:
                self.world.do(self.world.cancel(head))

    def end_trial(self, name: str) -> None:
        """Let probes find an account well, until it is no longer on trial."""
        for node, job in self.flights():
            if job.account == name and job.probe:
                self.world.settle([self.world.ended(node, job, "ok")])

    def op(self, name: str, lane: str, pick: int) -> Op:
        """Give a deed on a lane, or on all, that may overlap with another."""
        world = self.world
        its = [job for job in self.model.of(*LIVE) if job.lane == ("crm", lane)]
        flying = [job for _, job in self.flights() if job.lane == lane and job.account == "crm"]
        dead = [job for job in its if job.state in ("dead", "blocked")]
        if name == "settle" and flying:
            return world.settle_one(self.ended(flying[0], ("ok", "reject")[pick % 2]))
        if name == "again" and dead:
            return world.again(at(dead, pick))
        if name == "cancel" and its:
            return world.cancel(at(its, pick))
        if name == "claim":
            calm = [name for name in ACCOUNTS if not self.model.accounts[name].on_trial]
            return world.claim(world.nodes[pick % 2], dict.fromkeys(calm, 50))
        if name == "rescue":
            return world.rescue()
        shared = f"key {len(self.model.keys)}"  # of two that overlap, the same
        return world.enqueue([world.job(lane=lane), world.job(lane="b", key=shared)])

    def ended(self, job: Job, outcome: str) -> Completion:
        node = next(node for node in self.world.nodes if job in node.flights)
        return self.world.ended(node, job, outcome, calls=False)

    def did(self, rule: str) -> None:
        """Count a rule that did something."""
        self.tally[rule] += 1


def at(some: list[Any], pick: int) -> Any:
    return some[pick % len(some)]
