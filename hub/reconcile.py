"""Settling what nobody told us: uncertain jobs are looked up at the provider, or sent again.

Payments that no order claims become a case.

Found means done. Not found proves nothing: the job stays uncertain until an event, a person, or,
where the route says so, one more send as a new job under a new key.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from hub import log
from hub.errors import CallError
from hub.ids import new_id
from hub.model import Job, NewJob, Outcome
from hub.perform import Attempt
from hub.routing import Route
from hub.runner import Runner
from store import restored, settle
from store.links import StoredLinks
from store.tx import Tx

EVERY = 60.0
PATIENCE = timedelta(minutes=15)
RESENT = ":resend"


class Reconciler:
    """Goes over the uncertain jobs of this hub, again and again.

    Args:
        route_of: The running configuration's route of a name, if it is still there.
    """

    def __init__(self, runner: Runner, route_of: Callable[[str | None], Route | None]) -> None:
        self.runner, self.route_of = runner, route_of
        self.store, self.clock = runner.store, runner.clock
        self.log = log.get("reconcile")
        self._restored_at: datetime | None = None

    async def forever(self) -> None:
        """Look at every uncertain job each minute."""
        while True:
            await self.clock.sleep(EVERY)
            try:
                await self.once()
            except Exception:  # whatever it was, the next round may go well
                self.log.exception("reconcile failed")

    async def once(self) -> int:
        """Look at every uncertain job now; give how many were settled.

        In a restored store nobody is asked before a person lets calls go out again.
        """
        last = await self.store.look(restored.latest)
        if last is not None and last.released_at is None:
            return 0
        self._restored_at = None if last is None else last.at
        await self._review_payments()
        unsure = await self.store.write(settle.unsure)
        settled = [await self._settle(job) for job in unsure]
        return sum(settled)

    async def _review_payments(self) -> None:
        """Open a case for money no order has claimed; ask about payments nobody told us of."""
        for name in ("review_unmatched", "review_silence"):
            review = self.runner.shop.get(name)
            if review is not None:
                await self.store.change(review.work, review.model())

    async def _settle(self, job: Job) -> bool:
        if job.fault is not None:
            return False
        account = self.runner.accounts.get(job.connector)
        spec = account.actions.get(job.action) if account else None
        if spec is not None and spec.lookup is not None:
            return await self._look_up(job)
        route = self.route_of(job.route)
        old = self.clock.now() - (job.first_sent_at or job.created_at) > PATIENCE
        old = old and not self._from_a_backup(job)
        if route is not None and route.resend and old and not job.key.endswith(RESENT):
            return await self._resend(job)
        return False

    def _from_a_backup(self, job: Job) -> bool:
        """Say whether most likely it was sent: then only a person has it sent again."""
        return self._restored_at is not None and job.created_at <= self._restored_at

    async def _look_up(self, job: Job) -> bool:
        try:
            attempt = Attempt.begin(
                self.runner.accounts[job.connector],
                job,
                links=StoredLinks(self.store, job.connector),
                clock=self.clock,
                deadline=self.clock.now() + self.runner.lease,
            )
            found = await attempt.look_up()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 -- a look-up that fails is tried in a minute
            told = str(error) if isinstance(error, CallError) else type(error).__name__
            self.log.warning("look-up failed", job=job.uid, error=told)
            return False
        return found is not None and await self._found(job, found)

    async def _found(self, job: Job, found: Outcome) -> bool:
        follow = self.runner.follow(job, found)

        def found_it(tx: Tx) -> bool:
            if not settle.resolve(tx, job.uid, "done", reason="found by look-up", ref=found.ref):
                return False
            tx.enqueue(*follow)
            return True

        self.log.info("job found", job=job.uid, action=job.action)
        return await self.store.write(found_it)

    async def _resend(self, job: Job) -> bool:
        now = self.clock.now()
        again = _again(job, uid=new_id("job", now), due_at=now)

        def send(tx: Tx) -> bool:
            return settle.supersede(tx, job.uid, again, reason=f"sent again as {again.uid}")

        self.log.warning("job sent again", job=job.uid, again=again.uid)
        return await self.store.write(send)


def _again(job: Job, *, uid: str, due_at: datetime) -> NewJob:
    return NewJob(
        uid=uid,
        connector=job.connector,
        account=job.account,
        action=job.action,
        key=job.key + RESENT,
        effect=job.effect,
        payload=job.payload,
        due_at=due_at,
        event_id=job.event_id,
        inbox_id=job.inbox_id,
        route=job.route,
        lane=job.lane,
        blocks=job.blocks,
        give_up_at=job.give_up_at,
    )
