"""The rules of the machine: what clients, workers, providers, people and time do."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from hub.model import Event
from tests.model.machine import (
    CONNECTORS,
    PICK,
    ROOM,
    SORTS,
    UNSAFE,
    WRITING,
    Machine,
    at,
)
from tests.model.plain import LIVE
from tests.model.world import Node

PAIRS = st.sampled_from(["settle", "enqueue", "again", "cancel", "claim", "rescue"])


class Deeds(Machine):
    """Everything that can happen to a job."""

    # -- writing -----------------------------------------------------------------------------------
    @rule(connector=CONNECTORS, sorts=WRITING)
    def enqueue(self, connector, sorts):
        self.world.do(self.world.enqueue(self.jobs(connector, sorts)))
        self.did("enqueue")

    @precondition(lambda self: self.model.jobs)
    @rule(pick=PICK, sort=SORTS, twice=st.booleans())
    def enqueue_known_key(self, pick, sort, twice):
        old = at(list(self.model.jobs.values()), pick).new
        [new] = self.jobs(old.connector, [sort])
        news = [self.world.job(connector=old.connector, key=new.key), new] if twice else []
        news.append(self.world.job(connector=old.connector, key=old.key, lane=new.lane))
        self.world.do(self.world.enqueue(news))
        self.did("enqueue_known_key")

    @rule(state=st.sampled_from(["dead", "skipped"]), lane=st.sampled_from([None, "a"]))
    def enqueue_over_at_birth(self, state, lane):
        more = {"state": state, "lane": lane, "payload": None, "error": "no such field"}
        self.world.do(self.world.enqueue([self.world.job(**more)]))
        self.did("enqueue_over_at_birth")

    @rule(pick=PICK, sorts=WRITING)
    def receive(self, pick, sorts):
        """Take a webhook with two events in; one of few ids, so that some come again."""
        now = self.stage.clock.now()
        told = []
        for number in (pick % 8, pick // 8):
            event = Event(type="mail.opened", at=now, data={}, ext_id=str(number),
                          id=f"evt_{self.world.written}_{number}", connector="mail")  # fmt: skip
            jobs = [replace(job, event_id=event.id) for job in self.jobs("mail", sorts)]
            told.append((event, jobs))
        self.world.do(self.world.receive(told))
        self.did("receive")

    @rule(pick=PICK, failed=st.booleans())
    def echo(self, pick, failed):
        """Take in the provider's own word of a job: uncertain, or in flight and to be so."""
        job = self.unsure(pick) if pick % 2 else self.model.jobs[self.flight(UNSAFE)[1].uid]
        event = Event(type="mail.told", at=self.stage.clock.now(), data={}, job=job.uid,
                      ext_id=f"echo {self.world.written}", id=f"evt_echo_{self.world.written}",
                      connector="mail", failed=failed)  # fmt: skip
        self.world.do(self.world.receive([(event, [])]))
        for node, flying in self.flights():
            if flying.uid == job.uid:
                self.world.settle([self.world.ended(node, flying, "ambiguous")])
        self.did("echo")

    # -- workers -----------------------------------------------------------------------------------
    @rule(pick=PICK, room=ROOM, last_first=st.booleans())
    def claim(self, pick, room, last_first):
        node = at(self.world.nodes, pick)
        rooms = {"crm": room, "mail": (room, 0)[pick // 2 % 2]}
        if self.world.do(self.world.claim(node, rooms, last_first=last_first)):
            self.did("claim")

    @rule(pick=PICK, outcome=st.sampled_from(["ok", "ok", "ok", "skip", "reject"]))
    def settle(self, pick, outcome):
        node, job = self.flight(pick)
        self.world.settle([self.world.ended(node, job, outcome)])
        self.did(f"settle {outcome}")

    @rule(pick=PICK, outcome=st.sampled_from(["retry", "ambiguous", "ambiguous", "bug"]))
    def settle_failed(self, pick, outcome):
        node, job = self.flight(pick)
        self.world.settle([self.world.ended(node, job, outcome)])
        self.did(f"settle {outcome}")

    @rule(pick=PICK, outcome=st.sampled_from(["rate_limited", "auth_failed", "returned"]))
    def settle_unused(self, pick, outcome):
        node, job = self.flight(pick)
        self.world.settle([self.world.ended(node, job, outcome)])
        self.did(f"settle {outcome}")

    @rule(outcomes=st.lists(st.sampled_from(["ok", "reject", "retry"]), min_size=20, max_size=20))
    def settle_many(self, outcomes):
        self.flight(0)
        flights = self.flights() + self.flights(lost=True)
        dones = [
            self.world.ended(node, job, outcome)
            for (node, job), outcome in zip(flights, outcomes, strict=False)
        ]
        self.world.settle(dones)
        self.did("settle_many")

    @rule(pick=PICK, sorts=WRITING)
    def settle_with_jobs(self, pick, sorts):
        node, job = self.flight(pick)
        self.world.settle_with(self.world.ended(node, job, "ok"), self.jobs("crm", sorts))
        self.did("settle_with_jobs")

    @rule(pick=PICK, outcome=st.sampled_from(["ok", "reject", "retry", "ambiguous"]))
    def settle_too_late(self, pick, outcome):
        """Let a zombie hand in its result."""
        node, job = self.lost(pick)
        done = self.world.ended(node, job, outcome)
        if pick % 2:
            assert self.world.settle([done]) == [False]
        else:
            self.world.settle_with(done, self.jobs("mail", [("a", "upsert", False, 0)]))
        self.did("settle_too_late")

    @rule(pick=PICK, seconds=st.sampled_from([20, 50, 61]))
    def renew(self, pick, seconds):
        """Renew one node's leases, as late as may be; the others' run out, maybe."""
        node, _ = self.flight(pick)
        self.stage.clock.advance(seconds)
        self.world.do(self.world.renew(node))
        self.stage.clock.advance(seconds)
        self.world.do(self.world.rescue())
        self.did("renew")

    @rule(pick=PICK, seconds=st.sampled_from([30, 50, 70]))
    def stall(self, pick, seconds):
        """Let one node sleep while the other lives: its leases run out, maybe."""
        stalled, _ = self.flight(pick)
        for _ in range(seconds // 10):
            self.stage.clock.advance(10)
            for node in self.world.nodes:
                if node.flights and node is not stalled:
                    self.world.do(self.world.renew(node))
        self.did("stall")

    @rule(pick=PICK)
    def rescue(self, pick):
        self.flight(pick)
        self.stage.clock.advance(61)
        self.world.do(self.world.rescue())
        self.did("rescue")

    @rule(pick=PICK)
    def crash(self, pick):
        """Kill a node amid its attempts; another starts."""
        gone, _ = self.flight(pick)
        self.world.nodes.remove(gone)
        self.world.nodes.append(Node(f"n{self.world.written}"))
        self.did("crash")

    @rule(pick=PICK)
    def start_alone(self, pick):
        """Start where no other node can live: every lease is a dead one's."""
        self.flight(pick)
        self.world.do(self.world.rescue(all_of_them=True))
        self.did("start_alone")

    # -- people ------------------------------------------------------------------------------------
    @rule(pick=PICK)
    def again(self, pick):
        if self.world.do(self.world.again(self.over(pick))):
            self.did("again")

    @precondition(lambda self: self.model.of(*LIVE))
    @rule(pick=PICK)
    def cancel(self, pick):
        if self.world.do(self.world.cancel(at(self.model.of(*LIVE), pick))):
            self.did("cancel")

    @rule(pick=PICK, state=st.sampled_from(["done", "dead"]))
    def settle_by_hand(self, pick, state):
        self.world.do(self.world.by_hand(self.unsure(pick), state))
        self.did("settle_by_hand")

    @rule(pick=PICK)
    def resend(self, pick):
        old = self.unsure(pick)
        new = self.world.job(connector=old.new.connector, lane=old.new.lane, effect="unsafe")
        self.world.do(self.world.resend(old, new))
        self.did("resend")

    @rule(pick=PICK)
    def sweep(self, pick):
        self.unsure(pick)
        self.world.do(self.world.sweep())
        self.did("sweep")

    @rule(name=CONNECTORS)
    def pause(self, name):
        if self.world.do(self.world.pause(name)):
            self.did("pause")

    @rule(name=CONNECTORS, seconds=st.sampled_from([0, 7, 100]))
    def resume(self, name, seconds):
        if not self.model.accounts[name].halt("paused"):
            self.world.do(self.world.pause(name))
        self.stage.clock.advance(seconds)
        self.world.do(self.world.resume(name))
        self.did("resume")

    # -- time, and two at once ---------------------------------------------------------------------
    @rule(seconds=st.sampled_from([1, 5, 20, 61]))
    def wait(self, seconds):
        self.stage.clock.advance(seconds)
        self.did("wait")

    @rule(hours=st.sampled_from([0.2, 1, 4]))
    def wait_long(self, hours):
        self.stage.clock.advance(timedelta(hours=hours).total_seconds())
        self.did("wait_long")

    @rule(first=PAIRS, second=PAIRS, lane=st.sampled_from("aab"), pick=PICK, other=PICK,
          patient=st.booleans())  # fmt: skip
    def overlap(self, first, second, lane, pick, other, patient):
        """Do two things to a lane at once: the second begins before the first has committed."""
        if pick % 4:
            self.busy_lane(lane)
        one, two = self.op(first, lane, pick), self.op(second, lane, other)
        self.world.overlap(one, two, patient=patient)
        self.did("overlap")

    @rule(patient=st.sampled_from([True, True, False]))
    def settle_amid(self, patient):
        """Settle the head of a lane, alone there, while a job is written behind it."""
        self.busy_lane(lane := f"lane {self.world.written}")
        one, two = self.op("enqueue", lane, 0), self.op("settle", lane, 0)
        self.world.overlap(one, two, patient=patient)
        self.did("settle_amid")

    @rule(first=PAIRS)
    def enqueue_amid(self, first):
        """Write a job behind a head, alone in its lane, while something happens to that."""
        self.busy_lane(lane := f"lane {self.world.written}")
        self.world.overlap(self.op(first, lane, 0), self.op("enqueue", lane, 0), patient=False)
        self.did("enqueue_amid")
