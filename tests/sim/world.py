"""One schedule: jobs written, nodes at work, trouble for a while, and at last the judgement.

Everything is drawn from one seed, and everything that happens goes into one hash.
"""

import asyncio
import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

import hub.ids
import hub.worker
from hub.errors import NotStored, Refused
from hub.ids import new_id
from hub.model import Event, NewJob, Request, write_json
from store import operate
from store.crypto import Cipher
from store.inbox import Receipt, Taken
from tests.sim.judge import judged
from tests.sim.loop import Machine, VirtualLoop
from tests.sim.node import Node
from tests.sim.provider import ACTIONS, Provider

TROUBLE_FOR = 10.0
LONGEST = 600.0
PATIENCE = 2.0
LOOK_EVERY = 1.0
EMPTIED = ("jobs", "job_history", "job_keys", "attempts", "events", "dedupe", "inbox", "accounts",
           "sqlite_sequence")  # fmt: skip


@dataclass
class Verdict:
    """How a schedule ended.

    Args:
        trace: The hash of all that happened.
        wrong: What should not have been.
        seen: How often what happened.
    """

    seed: int
    trace: str
    wrong: list[str]
    seen: dict[str, int]
    lines: list[str] = field(default_factory=list)


class World:
    """The nodes, their store, their provider, and whoever writes jobs."""

    def __init__(self, seed: int, connection: Connection, cipher: Cipher, *, keep: bool) -> None:
        self.seed, self.connection, self.cipher = seed, connection, cipher
        self.driver: Any = connection.connection.driver_connection
        self.chance = random.Random(seed)
        self.loop = VirtualLoop()
        self.trace, self.lines, self.keep = hashlib.blake2b(digest_size=16), [], keep
        self.seen: dict[str, int] = {}
        self.trouble = True
        self.provider = Provider(self.loop, self.chance, fate=self.befalls, note=self.note)
        self.provider.told = self._echo
        self.alone = self.chance.random() < 0.3
        self.nodes: list[Node] = []
        self.written: list[NewJob] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def note(self, what: str, *told: object) -> None:
        """Put what happens into the trace."""
        line = f"{self.loop.time():.6f} {what} {told}"
        self.trace.update(line.encode())
        self.seen[what] = self.seen.get(what, 0) + 1
        if self.keep:
            self.lines.append(line)

    # -- playing -----------------------------------------------------------------------------------
    def play(self) -> Verdict:
        asyncio._set_running_loop(None)
        try:
            self.loop.run_until_complete(self._play())
            wrong = judged(self.connection, self.written, self.provider.ledger)
        finally:
            for node in self.nodes:
                node.machine.alive = False
            self.loop.close()
        return Verdict(self.seed, self.trace.hexdigest(), wrong, self.seen, self.lines)

    async def _play(self) -> None:
        for _ in range(1 if self.alone else 2):
            self.tasks.append(self.loop.create_task(self._serve(after=0)))
        writing = self.loop.create_task(self._write())
        troubling = self.loop.create_task(self._trouble())
        await writing
        await troubling
        while not self._over() and self.loop.time() < LONGEST:
            await asyncio.sleep(LOOK_EVERY)
            await self._decide()

    async def _decide(self) -> None:
        """Have a person say what became of uncertain mails, as the provider's pages show it."""
        unsure = "SELECT uid FROM jobs WHERE state = 'u'"
        living = [node for node in self.nodes if node.awake]
        for (uid,) in self.driver.execute(unsure).fetchall() if living else []:
            state = "done" if self.provider.ledger.effects[uid] else "dead"
            self.note("decided", uid, state)
            with suppress(NotStored, Refused):
                await living[0].store.change(
                    lambda tx, uid, state=state: operate.settle_by_hand(tx, uid, state, by="ana"),
                    uid,
                )

    def _over(self) -> bool:
        live = "SELECT count(*) FROM jobs WHERE state IN ('w', 'r', 'l', 'u')"
        live = self.driver.execute(live).fetchone()[0]
        return not live and all(task.done() for task in self.tasks)

    async def _serve(self, after: float) -> None:
        """Start a node, and another where the store would not have it."""
        await asyncio.sleep(after)
        while True:
            node = Node(self.loop, self.connection, self.cipher, alone=self.alone)
            node.wire(self.provider, self)
            self.nodes.append(node)
            self.note("start", len(self.nodes))
            begun = self.loop.create_task(node.start())
            await asyncio.wait([begun], timeout=20)
            if not node.machine.alive or (begun.done() and begun.result()):
                return
            node.machine.alive = False
            await asyncio.sleep(1)

    def ring(self, own: Machine) -> None:
        """Tell the other nodes that something changed; not always does one hear it."""
        for node in self.nodes:
            if node.machine is not own and node.machine.alive and self.chance.random() < 0.4:
                node.machine.after(self.chance.uniform(0.0, 0.1), node.store.changed.set)

    # -- trouble -----------------------------------------------------------------------------------
    def befalls(self, what: Mapping[str, int]) -> str:
        """Draw what befalls something; "" while all is well."""
        if not self.trouble:
            return ""
        return self.chance.choices(list(what), weights=list(what.values()))[0]

    async def _trouble(self) -> None:
        """Crash nodes and let them stall, for a while; then all is well."""
        while self.loop.time() < TROUBLE_FOR:
            await asyncio.sleep(self.chance.uniform(1, 6))
            living = [node for node in self.nodes if node.awake]
            if living:
                node = self.chance.choice(living)
                self.strike(self.chance.choice(("crash", "stall")), node.machine)
        self.trouble = False
        self.note("calm")

    def strike(self, how: str, machine: Machine) -> None:
        """Have a machine crash, and another start, or stall."""
        seconds = self.chance.choice((0.5, 4.0, 8.0))
        self.note(how, [node.machine for node in self.nodes].index(machine), seconds)
        if how == "stall":
            machine.asleep_until = self.loop.time() + seconds
            return
        machine.alive = False
        self.tasks.append(self.loop.create_task(self._serve(after=seconds / 4)))

    # -- writing -----------------------------------------------------------------------------------
    async def _write(self) -> None:
        """Have webhooks come, each with a few jobs of one or two lanes."""
        for number in range(2):
            await asyncio.sleep(self.chance.uniform(0, 4))
            jobs = [self._job(f"evt_{number}") for _ in range(self.chance.choice((1, 1, 2, 3)))]
            await self._deliver(f"{number}", jobs)

    def _job(self, event_id: str) -> NewJob:
        lane = self.chance.choice((None, "a", "a", "a"))
        action, bad = self.chance.choice(sorted(ACTIONS)), self.chance.random() < 0.08
        uid = new_id("job", self.loop.now())
        item = {"n": len(self.written), "lane": lane, "bad": bad}
        job = NewJob(
            uid=uid, connector="toy", account="toy", action=action, key=uid,
            effect=ACTIONS[action].effect.kind, payload=write_json(item),
            due_at=self.loop.now(), lane=lane, event_id=event_id,
        )  # fmt: skip
        self.written.append(job)
        return job

    def _echo(self, job: str) -> None:
        """Have the provider tell of a mail, mostly, later, perhaps twice."""
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            self.tasks.append(self.loop.create_task(self._tell(job)))

    async def _tell(self, job: str) -> None:
        await asyncio.sleep(self.chance.uniform(0.1, 8))
        await self._deliver(f"echo {job}", [], job=job)

    async def _deliver(self, ext_id: str, jobs: list[NewJob], *, job: str | None = None) -> None:
        """Send a webhook until a node says that it is kept, as providers do."""
        event_id = jobs[0].event_id if jobs else new_id("evt", self.loop.now())
        event = Event(
            type="toy.told", at=self.loop.now(), data={}, ext_id=ext_id, id=str(event_id),
            connector="toy", job=job,
        )  # fmt: skip
        while True:
            living = [node for node in self.nodes if node.awake]
            if living and await self._kept(self.chance.choice(living), event, jobs):
                self.note("kept", ext_id)
                return
            await asyncio.sleep(self.chance.uniform(0.2, 2))

    async def _kept(self, node: Node, event: Event, jobs: list[NewJob]) -> bool:
        receipt = Receipt(
            id=new_id("inb", self.loop.now()),
            connector="toy",
            request=Request(method="POST", url="/", headers=(), body=str(event.ext_id).encode()),
            received_at=self.loop.now(),
            taken=[Taken(event=event, jobs=jobs)],
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await node.store.receive(receipt)
        except (TimeoutError, NotStored):
            return False
        return True


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw ids from a seed, and let workers tick slower: idle rounds only cost time here."""
    chance = random.Random(f"ids {seed}")
    before = hub.ids.os, hub.ids._last, hub.worker.POLL, hub.worker.RESCUE_EVERY
    hub.ids.os = type("Seeded", (), {"urandom": staticmethod(chance.randbytes)})  # type: ignore[assignment]
    hub.ids._last, hub.worker.POLL, hub.worker.RESCUE_EVERY = 0, 8.0, 8.0
    try:
        yield
    finally:
        hub.ids.os, hub.ids._last, hub.worker.POLL, hub.worker.RESCUE_EVERY = before


def play(seed: int, connection: Connection, cipher: Cipher, *, keep: bool = False) -> Verdict:
    """Play one schedule on a store that may hold another's remains."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.executescript(";".join(f"DELETE FROM {name}" for name in EMPTIED))
    with seeded(seed):
        return World(seed, connection, cipher, keep=keep).play()
