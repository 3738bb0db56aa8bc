"""A node of a simulation: the real worker and runner on a machine that may stall or die.

Its writer takes time to commit and time to say so; between the two it may crash.
"""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection

from hub.breaker import Gate
from hub.circuit import Breaker
from hub.errors import NotStored
from hub.perform import Account
from hub.retry import Policy
from hub.runner import Runner
from hub.worker import Worker
from store.crypto import Cipher
from store.writer import MOST_UNITS
from tests.memory import LoopWriter, MemoryStore
from tests.sim.loop import Machine, VirtualLoop
from tests.sim.provider import ACTIONS, Provider, Toy, Wire

if TYPE_CHECKING:
    from store.sqlite_writer import Committed

LEASE = timedelta(seconds=6)
TIMEOUT = 3.0
POLICY = Policy(initial=1, max_wait=4, max_age=timedelta(hours=2))
BREAKER = Breaker(failures=6, within=timedelta(seconds=30), open_for=timedelta(seconds=4))
# What may befall a commit, and how often out of a thousand while there is trouble.
BEFALLS = {"": 945, "not committed": 15, "not known": 10, "crash": 10, "stall": 20}


class Around(Protocol):
    """What a node meets in its world."""

    chance: random.Random

    def befalls(self, what: Mapping[str, int]) -> str:
        """Draw what befalls something; "" while all is well."""

    def note(self, what: str, *told: object) -> None:
        """Put what happens into the trace."""

    def strike(self, how: str, machine: Machine) -> None:
        """Have a machine crash or stall now."""

    def ring(self, own: Machine) -> None:
        """Tell the other nodes that something changed."""


class SlowWriter(LoopWriter):
    """Commits after a while, tells after another; now and then it cannot, or nobody knows."""

    machine: Machine
    world: Around

    def soon(self) -> None:
        self.machine.after(self.world.chance.uniform(0.001, 0.02), self.turn)

    def turn(self) -> None:
        batch, self.units = self.units[:MOST_UNITS], self.units[MOST_UNITS:]
        if not batch:
            return
        befalls = self.world.befalls(BEFALLS)
        self.world.note("commit", len(batch), befalls)
        done: list[Committed] = [(batch, None)]
        if befalls != "not committed":
            done = self._commit(self.connection, batch)
        woken = any(tx is not None and tx.woken for _, tx in done)
        if befalls in ("not committed", "not known"):
            for unit in batch:
                unit.error = NotStored(befalls)
            for _, tx in done:
                if tx is not None:
                    tx.unbear()
            done = [(batch, None)]
        if befalls in ("crash", "stall"):
            self.world.strike(befalls, self.machine)
        if woken:
            self.world.ring(self.machine)
        self.machine.after(self.world.chance.uniform(0.001, 0.02), self._told, done)
        if self.units:
            self.soon()


class Node:
    """One process of the hub.

    Args:
        alone: No other node lives beside it.
    """

    def __init__(
        self, loop: VirtualLoop, connection: Connection, cipher: Cipher, *, alone: bool
    ) -> None:
        self.machine = Machine(loop)
        self.store = MemoryStore(
            connection, clock=self.machine, cipher=cipher, writer=SlowWriter, alone=alone
        )

    def wire(self, provider: Provider, world: Around) -> None:
        """Connect it to the world."""
        writer: Any = self.store.writer
        writer.machine, writer.world = self.machine, world
        wire = Wire(self.machine, provider, timeout=TIMEOUT)
        account = Account(
            connector=Toy("toy", wire.connector.settings, wire),
            client=wire,
            gate=Gate(4, breaker=BREAKER),
            policy=POLICY,
            actions=ACTIONS,
            timeout=TIMEOUT,
        )
        runner = Runner(
            self.store,
            accounts={"toy": account},
            shop={},
            policy_of=lambda _: None,
            reread=None,
            clock=self.machine,
            lease=LEASE,
        )  # type: ignore[arg-type]
        self.worker = Worker(runner)

    async def start(self) -> bool:
        """Begin to work; False where the store would not have it."""
        try:
            await self.worker.start()
        except NotStored:
            return False
        return True

    @property
    def awake(self) -> bool:
        return self.machine.alive and self.machine.loop.time() >= self.machine.asleep_until
