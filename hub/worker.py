"""The worker: claim → perform → settle. Leases are renewed while it works, given back when it ends.

What its own node writes is mostly born leased (hub.births), and begun without a claim.

Every call to a provider happens here, outside any transaction; its end goes to the writer, fenced
by (job, attempt). Shop jobs are no calls: their whole effect is one change in the writer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from hub import crash, log, shares
from hub.births import Births
from hub.errors import NotStored
from hub.ids import new_id
from hub.model import Job
from hub.runner import Runner
from store import leases
from store.tx import Tx

POLL = 1.0
RESCUE_EVERY = 5.0
ON_ITS_WAY = 0.01
LAST_FIRST = 8  # every so many claims, one begins with the last class that has work


class Worker:
    """One node's worker: keeps its runner busy with what is due."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.store, self.clock = runner, runner.store, runner.clock
        self.gates, self.lease = runner.gates, runner.lease
        self.node = new_id("node", self.clock.now())
        self.shares = shares.Shares(self.store, self.gates, self.node)
        self.log = log.get("worker")
        self._flying: dict[tuple[int, int], tuple[Job, asyncio.Task[None]]] = {}
        self._settled = asyncio.Event()
        self._stopping = False
        self._claims = 0
        self._full: set[str] = set()  # accounts that may have work their room left lying
        self._busy: set[str] = set()  # accounts of which the last claim found work
        self.births = Births(
            self.gates, node=self.node, lease=self.lease, ceiling_of=runner.ceiling_of,
            begin=self._begin,
        )  # fmt: skip
        self._duties: list[asyncio.Task[None]] = []

    # -- life --------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Take back what an earlier process of this store left leased, then begin."""
        await self.store.know_accounts(list(self.gates))
        # Where no other hub can live, every lease is a dead one's; elsewhere they run out.
        while self.store.alone and await self.store.write(_rescue_all):
            pass
        await self.shares.renew(self.clock.now())
        self.store.writer.births = self.births
        rescue_every = min(RESCUE_EVERY, self.lease.total_seconds() / 2)
        duties = (self._claim_forever(), self._every(rescue_every, self._rescue),
                  self._every(shares.EVERY, self._share),
                  self._every(self.lease.total_seconds() / 3, self._renew))  # fmt: skip
        self._duties = [asyncio.create_task(duty) for duty in duties]

    async def stop(self, grace: timedelta) -> None:
        """Claim no more, let attempts in flight end within `grace`, settle what did not."""
        self._stopping = True
        self.births.shut(self.clock.now())
        self.store.changed.set()
        await asyncio.gather(self._duties[0], return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                while self.births.kept():  # noqa: ASYNC110 -- a writer's thread says when
                    await asyncio.sleep(ON_ITS_WAY)
        for gate in self.gates.values():
            gate.turn_away()
        tasks = [task for _, task in self.flying()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        with suppress(NotStored):  # others miss us in a while
            await self.shares.renew(self.clock.now(), leaving=True)

    def alive(self) -> bool:
        """Say whether it claims, rescues and renews."""
        return not any(duty.done() for duty in self._duties)

    def flying(self) -> list[tuple[Job, asyncio.Task[None]]]:
        """Give the attempts under way."""
        return list(self._flying.values())

    async def wait_for(self, met: Callable[[], Awaitable[bool]], within: float) -> bool:
        """Wait, so many seconds at most, until a condition on the store holds.

        It is asked again whenever a job was settled.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    settled = self._settled
                    if await met():
                        return True
                    await settled.wait()
        except TimeoutError:
            return False

    # -- claim -------------------------------------------------------------------------------------
    async def _claim_forever(self) -> None:
        while not self._stopping:
            self.store.changed.clear()
            try:
                upcoming = await self._claim()
            except Exception:  # whatever it was, the next claim may go well
                self.log.exception("claim failed")
                upcoming = self.clock.now() + timedelta(seconds=POLL)
            if upcoming is not None:
                await self._doze(upcoming)

    async def _claim(self) -> datetime | None:
        """Claim what there is room for and start it.

        Returns:
            When to look again, if nothing happens before; None means at once.
        """
        now = self.clock.now()
        room = self.births.shut(now, idle=self.gates.keys() - self._busy)
        self._full = {name for name, its in room.items() if its.full()}
        claimed, upcoming = await self.store.claim(
            room,
            node=self.node,
            until=now + self.lease,
            last_first=self._claims % LAST_FIRST == LAST_FIRST - 1,
            ceiling_of=self.runner.ceiling_of,
        )
        for job in claimed:
            self._begin(job)
        found = {job.account for job in claimed}
        self._busy = found | self._full
        for account in found:
            self.gates[account].rest(self.clock.now())
        if claimed:
            self._claims += 1
            return None
        if not self._stopping:
            self.births.open(now)
        waits = [w for gate in self.gates.values() if (w := gate.claims_in(now)) is not None]
        soon = [now + timedelta(seconds=s) for s in (POLL, *waits)]
        return min([*soon, upcoming] if upcoming else soon)

    async def _doze(self, until: datetime) -> None:
        """Wait for a change in the store, or until a time."""
        left = (until - self.clock.now()).total_seconds()
        woken = asyncio.create_task(self.store.changed.wait())
        slept = asyncio.create_task(self.clock.sleep(left))
        try:
            await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()

    def _begin(self, job: Job) -> None:
        crash.at("D_after")
        self.gates[job.account].take(job.action, job.prio, (job.id, job.attempt))
        task = asyncio.create_task(self._run(job))
        # By attempt: after a lost lease the same job may fly twice, and each lands for itself.
        self._flying[job.id, job.attempt] = (job, task)
        task.add_done_callback(lambda _: self._landed(job))

    def _landed(self, job: Job) -> None:
        self._flying.pop((job.id, job.attempt), None)
        gate, now = self.gates[job.account], self.clock.now()
        gate.give(job.action, job.prio, (job.id, job.attempt))
        self.births.offer(job.account, now)
        if job.probe or (job.account in self._full and gate.room(now, ahead=gate.ahead)):
            self.store.changed.set()

    async def _run(self, job: Job) -> None:
        try:
            await self.runner.run(job)
        except Exception:  # not settled: its lease runs out, and it is rescued
            self.log.exception("attempt not settled", job=job.uid)
        self._settled.set()
        self._settled = asyncio.Event()

    # -- duties ------------------------------------------------------------------------------------
    async def _every(self, seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self.clock.sleep(seconds)
            try:
                await duty()
            except Exception:  # whatever it was, the next round may go well
                self.log.exception("duty failed")

    async def _rescue(self) -> None:
        if count := await self.store.write(leases.rescue):
            self.log.warning("leases rescued", count=count)

    async def _share(self) -> None:
        await self.shares.renew(self.clock.now())

    async def _renew(self) -> None:
        if not (held := list(self._flying)):
            return
        until = self.clock.now() + self.lease
        kept = await self.store.write(lambda tx: leases.renew(tx, held, until=until))
        for flight in set(held) - kept:
            if flight in self._flying:
                self._flying[flight][1].cancel()


def _rescue_all(tx: Tx) -> bool:
    return leases.rescue(tx, all_of_them=True) > 0
