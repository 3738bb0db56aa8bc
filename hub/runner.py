"""Running one leased job: a call to a provider, a shop action, or a kept request read again.

However the attempt ends, its verdict goes to the writer, fenced by (job, attempt).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from hub import crash, log, metrics, retry, trace
from hub.breaker import Gate, Gates, TurnedAway
from hub.ceiling import recipient_of
from hub.clock import Clock
from hub.effects import Effect, unsafe, upsert
from hub.errors import NotStored, Reject, Skip
from hub.model import Job, NewJob, Outcome, PaymentFact, read_json
from hub.payments import attach_job, fact_jobs, origin_of
from hub.perform import Account, Attempt, input_of
from hub.personal import Mask
from hub.shop.backend import ShopAction
from hub.verdicts import Verdict, judge
from store.ceilings import CeilingOf
from store.links import StoredLinks
from store.settle import Completion
from store.store import Store
from store.tx import Tx

SHOP = upsert("fact")
DONE = Verdict(state="done", outcome="ok")
SETTLE_AGAIN = (0.2, 1.0, 5.0, 20.0)


class Late(Exception):
    """The lease ended before the attempt began."""


CUT_SHORT = (asyncio.CancelledError, Late, TurnedAway)


class Runner:
    """Runs jobs for the worker.

    Args:
        policy_of: The retry policy of a route, by name, in the running configuration.
        reread: Takes a retried `inbox.parse` job: parses the kept request again.
        ceiling_of: Above which the jobs of a route are held.

    Attributes:
        account_of: Gives a job's account: its connector's, or one of the connector's many.
        timeouts_of: The time limits of a route's calls, by name; None: their connector's.
    """

    def __init__(
        self,
        store: Store,
        *,
        accounts: Mapping[str, Account],
        shop: Mapping[str, ShopAction],
        policy_of: Callable[[str | None], retry.Policy | None],
        reread: Callable[[Job], Awaitable[Callable[[Tx], None]]],
        clock: Clock,
        lease: timedelta = timedelta(seconds=60),
        ceiling_of: CeilingOf = lambda *_: None,
    ) -> None:
        self.store, self.accounts, self.shop, self.clock = store, accounts, shop, clock
        self.policy_of, self.reread, self.lease = policy_of, reread, lease
        self.ceiling_of = ceiling_of
        self.account_of: Callable[[Job], Awaitable[Account]] = self._own_account
        self.timeouts_of: Callable[[str | None], tuple[float, float] | None] = lambda _: None
        self.only_to: Sequence[str] = ()
        self.log = log.get("worker")
        self.gates = Gates({name: a.gate for name, a in accounts.items()} | {"shop": Gate(64)})

    def use(self, accounts: Mapping[str, Account], shop: Mapping[str, ShopAction]) -> None:
        """Run what begins from now on with these; what is in flight keeps what it has.

        The gate of an account that is no more stays, shut: jobs may still be on their way.
        """
        for name in self.gates.keys() - accounts.keys() - {"shop"}:
            self.gates[name].paused = True
        self.gates |= {name: account.gate for name, account in accounts.items()}
        self.gates.follow()
        self.accounts, self.shop = accounts, shop

    async def run(self, job: Job) -> None:
        """Run one attempt and settle it."""
        with trace.span(
            f"{job.connector}.{job.action}",
            parent=job.trace,
            hub__job=job.uid,
            hub__attempt=job.attempt,
            hub__event=job.event_id or "",
        ):
            await self._run(job)

    async def _run(self, job: Job) -> None:
        by_kind = self._shop_job if job.connector == "shop" else self._call_job
        run = self._parse_job if job.action == "inbox.parse" else by_kind
        if job.fault is not None:
            run = self._unread
        try:
            await run(job)
        except NotStored:
            # The lease runs out and the job is rescued; nothing was said to anyone.
            self.log.exception("settle failed", job=job.uid)

    async def _call_job(self, job: Job) -> None:
        started, attempt = self.clock.now(), None
        effect = Effect(kind=job.effect)  # type: ignore[arg-type] # only our own words are stored
        gate = self.gates[job.account]
        try:
            await gate.turn((job.id, job.attempt), job.action, self.clock)
            started = self.clock.now()
            ends = self._ends(job, started)
            account = await self.account_of(job)
            links = StoredLinks(self.store, job.connector)
            attempt = Attempt.begin(
                account,
                job,
                links=links,
                clock=self.clock,
                deadline=ends,
                timeouts=self.timeouts_of(job.route),
            )
            effect = attempt.spec.effect
            self._may_tell(job, attempt)
            try:
                outcome = await attempt.perform()
            finally:
                gate.over((job.id, job.attempt), job.action)
        except CUT_SHORT as error:
            await self._settle(job, started, attempt, self._given_up(job, error, effect, attempt))
        except Exception as error:  # noqa: BLE001 -- judged: a CallError, or a bug of ours
            verdict = self._judged(error, job, effect, attempt)
            await self._settle(job, started, attempt, verdict, self._refused(job, error))
        else:
            await self._settle(job, started, attempt, DONE, self.follow(job, outcome), outcome)

    def _ends(self, job: Job, started: datetime) -> datetime:
        """Give when an attempt must have ended: another node may have the job from then on.

        A process that was stopped for a while, right after it had claimed, begins too late.
        """
        ends = started + self.lease if job.until is None else job.until
        if started >= ends:
            raise Late
        return ends

    def _may_tell(self, job: Job, attempt: Attempt) -> None:
        """Skip a message to anyone but those of `service.messages_only_to`."""
        if not self.only_to or attempt.spec.kind != "message":
            return
        whom = recipient_of(job.payload, attempt.spec.recipient) or ""
        if not any(fnmatchcase(whom, pattern.lower()) for pattern in self.only_to):
            raise Skip("messages_only_to")

    async def _shop_job(self, job: Job) -> None:
        """Run a shop action and end its job in one commit."""
        started = self.clock.now()
        try:
            action = self.shop[job.action]
            item = input_of(action.model, job.payload)
            done = self._completion(job, started, None, DONE)
            await self._stored(done, lambda: self.store.settle_shop(action.work, item, done))
        except NotStored:
            raise
        except Exception as error:  # noqa: BLE001 -- judged: a refusal, or a bug of ours
            await self._settle(job, started, None, self._judged(error, job, SHOP, None))

    async def _parse_job(self, job: Job) -> None:
        """Read a kept request again; its events and the job's end are one commit."""
        started = self.clock.now()
        try:
            work = await self.reread(job)
            done = self._completion(job, started, None, DONE)
            await self._stored(
                done, lambda: self.store.settle_shop(lambda tx, _: work(tx), None, done)
            )
        except NotStored:
            raise
        except Exception as error:  # noqa: BLE001 -- still unreadable: dead again, with the reason
            verdict = Verdict(state="dead", outcome="reject", error=log.why(error))
            await self._settle(job, started, None, verdict)

    async def _unread(self, job: Job) -> None:
        """End a job whose stored payload cannot be read: a person must see it."""
        verdict = Verdict(state="dead", outcome="bug", error=job.fault)
        await self._settle(job, self.clock.now(), None, verdict)

    async def _own_account(self, job: Job) -> Account:
        return self.accounts[job.connector]

    # -- settle ------------------------------------------------------------------------------------
    def _judged(
        self, error: BaseException, job: Job, effect: Effect, attempt: Attempt | None
    ) -> Verdict:
        verdict = judge(
            error,
            job,
            effect,
            self._policy(job),
            now=self.clock.now(),
            sent=attempt is not None and attempt.http.wrote,
        )
        if verdict.outcome == "bug":
            self.log.error("attempt failed", job=job.uid, action=job.action, exc_info=error)
        return verdict

    def _given_up(
        self, job: Job, error: BaseException, effect: Effect, attempt: Attempt | None
    ) -> Verdict:
        """Say what becomes of an attempt we cut short: the lease was lost, or the hub stops."""
        wrote = attempt is not None and attempt.http.wrote
        text = "the attempt was cut short"
        if wrote and effect.kind == unsafe.kind:
            return Verdict(state="uncertain", outcome="ambiguous", error=text)
        return Verdict(
            state="ready", outcome="returned", error=text, due_at=self.clock.now(), used=wrote
        )

    def _policy(self, job: Job) -> retry.Policy:
        found = self.policy_of(job.route)
        account = self.accounts.get(job.connector)
        return found or (account.policy if account else retry.Policy())

    async def _settle(
        self,
        job: Job,
        started: datetime,
        attempt: Attempt | None,
        verdict: Verdict,
        jobs: list[NewJob] | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        self._hold(job, verdict)
        done = self._completion(job, started, attempt, verdict, jobs or [], outcome)
        counted = await self._stored(done, lambda: self.store.settle(done))
        crash.at("F_after")
        self.log.info(
            "job settled" if counted else "attempt fenced",
            job=job.uid,
            action=f"{job.connector}.{job.action}",
            attempt=job.attempt,
            outcome=verdict.outcome,
            state=verdict.state,
            ms=done.ms,
        )

    async def _stored(self, done: Completion, settle: Callable[[], Awaitable[bool]]) -> bool:
        """Settle, again while the store cannot commit: a call that was made must not be lost.

        The fence makes a second settlement harmless, and the lease is renewed meanwhile.
        """
        for wait in SETTLE_AGAIN:
            try:
                return self._measured(done, await settle())
            except NotStored:
                self.log.warning("settle failed", again_in=wait)
            await self.clock.sleep(wait)
        return self._measured(done, await settle())

    def _measured(self, done: Completion, counted: bool) -> bool:
        job = done.job
        if counted:
            took, age = timedelta(milliseconds=done.ms), self.clock.now() - job.created_at
            metrics.attempted(
                job.connector, job.action, done.outcome, done.state, took=took, age=age
            )
        else:
            metrics.fenced.labels(job.connector).inc()
        return counted

    def _completion(
        self,
        job: Job,
        started: datetime,
        attempt: Attempt | None,
        verdict: Verdict,
        jobs: list[NewJob] | None = None,
        outcome: Outcome | None = None,
    ) -> Completion:
        http = attempt.http if attempt else None
        return Completion(
            job=job,
            state=verdict.state,
            outcome=verdict.outcome,
            started_at=started,
            ms=int((self.clock.now() - started).total_seconds() * 1000),
            due_at=verdict.due_at,
            used=verdict.used,
            error=_without_persons(verdict.error, job),
            ref=outcome.ref if outcome else None,
            status=http.status if http else None,
            request_id=http.request_id if http else None,
            body_hash=http.body_hash if http else None,
            links=outcome.links if outcome else {},
            jobs=jobs or (),
            pause=verdict.pause,
            hold=verdict.hold,
            disable=verdict.disable,
            release=verdict.state == "done" and self.gates[job.account].held is not None,
            breaker=self.gates[job.account].breaker if http and http.calls else None,
        )

    def _hold(self, job: Job, verdict: Verdict) -> None:
        gate = self.gates[job.account]
        if verdict.hold is not None:
            if gate.held is None:
                self.log.error("account held", account=job.account, reason=verdict.hold)
            gate.held = verdict.hold
            gate.turn_away()
        elif verdict.state == "done" and gate.held is not None:
            self.log.info("account released", account=job.account)
            gate.held = None
        elif verdict.pause is not None:
            gate.turn_away()

    def follow(self, job: Job, outcome: Outcome) -> list[NewJob]:
        """Write what a payment action's outcome means to the shop."""
        now = self.clock.now()
        attach = attach_job(job, ref=outcome.ref, handoff=outcome.handoff, now=now)
        facts = self._facts(job, outcome.facts)
        return [*([attach] if attach else []), *facts]

    def _refused(self, job: Job, error: BaseException) -> list[NewJob]:
        """Tell the shop of a refusal: the facts it establishes, and that nothing will be made."""
        if not isinstance(error, Reject):
            return []
        now = self.clock.now()
        facts = self._facts(job, error.facts)
        attach = attach_job(job, error=str(error), now=now)
        return [*facts, *([attach] if attach else [])]

    def _facts(self, job: Job, facts: Iterable[PaymentFact]) -> list[NewJob]:
        now = self.clock.now()
        origin = origin_of(job)
        return fact_jobs(
            job.connector, facts, now=now, event_id=job.event_id, job=job.uid, origin=origin
        )


def _without_persons(error: str | None, job: Job) -> str | None:
    """Mask in an error what a provider repeats of the persons in a job's payload.

    It stands in the clear where it is kept, and is shown to whoever may see jobs.
    """
    if error is None or not job.payload:
        return error
    return str(Mask(read_json(job.payload))(error))
