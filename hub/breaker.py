"""How many jobs of an account this node may start now: slots, budgets, holds, probes.

A slot is taken until the job is settled, a budget's call only until it is counted. Jobs are claimed
a little before their budget has room, and wait here for their turn.

One gate per account and node. Whether the account's breaker is open lies in the store
(`store.accounts`, by the rules of `hub.circuit`), since all nodes share it.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hub.budget import PLENTY, Budget
from hub.circuit import Breaker
from hub.clock import Clock
from hub.effects import Limit
from store.claims import FIRST, Room

KEPT_FOR_FIRST = 4  # of so many slots, one is kept for first attempts
AHEAD = 0.25  # seconds before its turn that a job may be claimed
PATIENCE = 2.0  # seconds that a job waits for its turn, at most
RESTS = 0.05  # seconds from a claim that took all a budget has to the next
Flight = tuple[int, int]  # of a job, and which attempt


class TurnedAway(Exception):
    """A job shall wait for its turn no longer: it was not called."""


class Gates(dict[str, "Gate"]):
    """Every account's gate; one of a connector's many (`webhook/…`) is like the connector's."""

    def __missing__(self, account: str) -> "Gate":
        made = self[account] = self[account.rpartition("/")[0]].like()
        return made

    def follow(self) -> None:
        """Have each of a connector's many on the connector's terms, which have changed."""
        for account, gate in self.items():
            connector, many, _ = account.rpartition("/")
            if many and connector in self:
                gate.follow(self[connector].like())


@dataclass(slots=True)
class Gate:
    """What one account may do on this node.

    Args:
        slots: Most calls in flight.
        actions: The account's actions; limits by operation hold for each by itself.
        reserve: The part of each budget that syncs and back-fills leave alone.
        held: Why it is held, where it is: then a single probe may pass.
        breaker: When its breaker opens; None: it has none.
        ahead: Seconds before a budget has room that its jobs may be claimed: none where a node that
            dies leaves them `uncertain`.
    """

    slots: int
    limits: Iterable[Limit] = ()
    paused: bool = False
    held: str | None = None
    flying: int = 0
    actions: Iterable[str] = ()
    reserve: float = 0.2
    breaker: Breaker | None = None
    ahead: float = 0.0
    budgets: list[Budget] = field(init=False)
    by_action: dict[str, list[Budget]] = field(init=False)
    _later: int = field(default=0, init=False)
    _doing: Counter[str] = field(default_factory=Counter, init=False)
    _counted: dict[Flight, str] = field(default_factory=dict, init=False)
    _coming: dict[Flight, str] = field(default_factory=dict, init=False)
    _door: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _landed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _turned: int = field(default=0, init=False)
    _rests_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        limits = tuple(self.limits)
        each = [limit for limit in limits if limit.by == "operation"]
        self.budgets = [Budget(limit) for limit in limits if limit.by == "account"]
        self.by_action = {name: [Budget(limit) for limit in each] for name in self.actions if each}

    def follow(self, other: "Gate") -> None:
        """Take over the terms of another gate of this account, and keep what is counted."""
        self.slots, self.paused, self.reserve = other.slots, other.paused, other.reserve
        self.breaker, self.ahead = other.breaker, other.ahead
        self.budgets = _kept(self.budgets, other.budgets)
        self.by_action = {
            name: _kept(self.by_action.get(name, []), budgets)
            for name, budgets in other.by_action.items()
        }

    def like(self) -> "Gate":
        """Give a fresh gate of the same size."""
        return replace(self, flying=0, held=None)

    # -- room --------------------------------------------------------------------------------------
    def room(self, now: datetime, *, ahead: float = 0.0) -> int:
        """Say how many jobs may be claimed for this account now."""
        at = now.timestamp()
        if self.paused or at < self._rests_until:
            return 0
        free = (1 if self.held else self.slots) - self.flying
        owed = self.owed()
        return max(0, min([free, *(b.left(at, ahead=ahead) - owed for b in self.budgets)]))

    def rooms(self, now: datetime, *, ahead: float = 0.0) -> Room:
        """Say how many jobs of each class and action may be claimed for this account now.

        Args:
            ahead: Seconds from now, by which a budget must have room.
        """
        at, most, owed = now.timestamp(), self.room(now, ahead=ahead), self.owed()
        later = min(most, max(0, self.slots - self.slots // KEPT_FOR_FIRST - self._later))
        spare = [b.left(at, reserve=self.reserve, ahead=ahead) - owed for b in self.budgets]
        return Room(
            most=most,
            later=later,
            syncs=max(0, min([later, *spare])),
            actions={
                name: max(0, min(b.left(at, ahead=ahead) for b in budgets) - self.owed(name))
                for name, budgets in self.by_action.items()
            },
            probes=self.breaker.probes if self.breaker else 1,
        )

    def wait(self, now: datetime) -> float | None:
        """Say in how many seconds a spent budget may have room; None where none is spent.

        A call that is not counted yet leaves the window no sooner than if it were counted now.
        """
        at, owed = now.timestamp(), self.owed()
        waits = [b.wait(at) or b.limit.per for b in self.budgets if b.left(at) <= owed]
        each = [
            min(b.wait(at) or b.limit.per for b in budgets)
            for name, budgets in self.by_action.items()
            if min(b.left(at) for b in budgets) <= self.owed(name)
        ]
        return max(waits) if waits else min(each, default=None)

    def claims_in(self, now: datetime) -> float | None:
        """Say in how many seconds a claim may find room; None where no budget is spent."""
        rests = self._rests_until - now.timestamp()
        wait = self.wait(now)
        if wait is None:
            return rests if rests > 0 else None
        return max(wait - self.ahead, rests, RESTS)

    def rest(self, now: datetime) -> None:
        """Have jobs gather before the next claim, where a budget has no room for more.

        What is left lying is older than what is born meanwhile, and goes first.
        """
        at, owed = now.timestamp(), self.owed()
        if any(b.left(at, ahead=self.ahead) <= owed for b in self.budgets):
            self._rests_until = at + RESTS

    def spare(self, now: datetime) -> float:
        """Give the part of the tightest budget that is left; 1 where there is none."""
        at = now.timestamp()
        parts = (1 - b.used(at) / b.calls for b in self.budgets if 0 < b.calls < PLENTY)
        return max(min(parts, default=1.0), 0.0)

    # -- jobs --------------------------------------------------------------------------------------
    def take(self, action: str = "", prio: int = FIRST, flight: Flight | None = None) -> None:
        """Count one job that starts; one that is named waits for its turn before it calls."""
        self.flying += 1
        self._later += prio != FIRST
        self._doing[action] += 1
        if flight is not None:
            self._coming[flight] = action

    def give(self, action: str = "", prio: int = FIRST, flight: Flight | None = None) -> None:
        """Count one job that ended."""
        self.flying -= 1
        self._later -= prio != FIRST
        self._doing[action] -= 1
        if flight is not None:
            self._counted.pop(flight, None)
            self._coming.pop(flight, None)
        self._landed.set()

    def owed(self, action: str | None = None) -> int:
        """Say how many jobs under way have calls to come that no budget has counted yet."""
        if action is None:
            return self.flying - len(self._counted)
        return self._doing[action] - _of(self._counted, action)

    def calling(self, action: str | None = None) -> int:
        """Say how many of those have had their turn."""
        coming = self.waiting() if action is None else _of(self._coming, action)
        return self.owed(action) - coming

    def called(
        self, calls: int, now: datetime, action: str = "", arrived: Iterable[float] | None = None
    ) -> None:
        """Count the calls a job has made.

        Args:
            arrived: By when each had arrived, in unix seconds; None: by now.
        """
        ats = [now.timestamp()] * calls if arrived is None else list(arrived)
        for budget in (*self.budgets, *self.by_action.get(action, ())):
            for at in ats:
                budget.spend(1, at, most=len(ats))

    def over(self, flight: Flight, action: str) -> None:
        """Note that a job under way makes no more calls, and those it made are counted."""
        self._counted[flight] = action
        self._landed.set()

    # -- turns -------------------------------------------------------------------------------------
    async def turn(self, flight: Flight, action: str, clock: Clock) -> None:
        """Wait until a job that is under way may call; the others' turns come after its own.

        Where none is claimed ahead, none waits: it has had its room since it was claimed.

        Raises:
            TurnedAway: The account was paused or held meanwhile, its budget shrank, the hub stops.
        """
        turned = self._turned
        async with self._door:
            while self.ahead and turned == self._turned:
                if (delay := self._delay(action, clock.now())) <= 0:
                    break
                if delay > PATIENCE:
                    raise TurnedAway
                self._landed.clear()
                await self._sooner(clock.sleep(delay))
            if turned != self._turned:
                raise TurnedAway
            self._coming.pop(flight, None)
        for budget in (*self.budgets, *self.by_action.get(action, ())):
            budget.begin(clock.now().timestamp())

    def waiting(self) -> int:
        """Say how many jobs under way have not had their turn."""
        return len(self._coming)

    def turn_away(self) -> None:
        """Send back who waits for a turn."""
        self._turned += 1
        self._landed.set()

    def _delay(self, action: str, now: datetime) -> float:
        at, calling = now.timestamp(), self.calling()
        waits = [b.delay(at, calling=calling) for b in self.budgets]
        each = self.by_action.get(action, ())
        waits += [b.delay(at, calling=self.calling(action)) for b in each]
        return max(waits, default=0.0)

    async def _sooner(self, sleep: Coroutine[Any, Any, None]) -> None:
        """Sleep, but no longer than until a job has landed."""
        tasks = [asyncio.ensure_future(sleep), asyncio.ensure_future(self._landed.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def hear(self, headers: Mapping[str, str], now: datetime, action: str = "") -> None:
        """Learn from what an answer says of the budgets."""
        for budget in self.budgets:
            budget.hear(headers, now.timestamp(), flying=self.calling())
        for budget in self.by_action.get(action, ()):
            budget.hear(headers, now.timestamp(), flying=self.calling(action))


def _of(flights: Mapping[Flight, str], action: str) -> int:
    return sum(one == action for one in flights.values())


def _kept(old: Iterable[Budget], new: Iterable[Budget]) -> list[Budget]:
    """Give budgets that go on where their limit is the same."""
    known = {budget.limit: budget for budget in old}
    return [known.get(budget.limit, budget) for budget in new]
