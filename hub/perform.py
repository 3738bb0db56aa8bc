"""Performing one attempt of a connector's action: input checked, call made, results joined."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from hub import log, retry
from hub.breaker import Gate
from hub.clock import Clock
from hub.errors import Ambiguous, CallError, Reject
from hub.http import Client
from hub.http.attempt import AttemptHttp, Timeouts
from hub.model import Job, Outcome, read_json
from hub.plugin import ActionSpec, Call, Connector, ItemResult, Links, sent_key


@dataclass(slots=True, kw_only=True)
class Account:
    """A connector at work: its way out, its gate, its policy.

    Args:
        actions: What its class declares, by name.
        timeout: Seconds for one HTTP call.
    """

    connector: Connector
    client: Client
    gate: Gate
    policy: retry.Policy
    actions: dict[str, ActionSpec]
    timeout: float = 30.0
    _uses: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep its connections open meanwhile."""
        self._uses += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._uses -= 1
            if not self._uses:
                self._idle.set()

    async def retire(self) -> None:
        """Close it once nothing uses it any more."""
        if self._uses:
            await self._idle.wait()
        await self.connector.close()
        await self.client.close()


@dataclass(slots=True)
class Attempt:
    """One attempt of a job at its account.

    Attributes:
        http: What the attempt saw: status, request id, body hash, whether a write left.
    """

    account: Account
    job: Job
    spec: ActionSpec
    http: AttemptHttp
    call: Call

    @classmethod
    def begin(
        cls,
        account: Account,
        job: Job,
        *,
        links: Links,
        clock: Clock,
        deadline: datetime,
        timeouts: Timeouts | None = None,
    ) -> "Attempt":
        """Prepare an attempt; `timeouts` are its route's.

        Raises:
            Reject: The connector has no such action any more.
        """
        spec = account.actions.get(job.action)
        if spec is None:
            raise Reject(f"{job.connector} has no action '{job.action}'")
        expected = job.body_hash if spec.effect.kind in ("keyed", "unsafe") else None
        http = account.client.attempt(
            deadline=deadline,
            timeout=spec.timeout,
            expected_hash=expected,
            heard=lambda headers: account.gate.hear(headers, clock.now(), spec.name),
            timeouts=timeouts,
        )
        call = Call(
            http=http,
            job=job.uid,
            key=sent_key(job.key, spec.key_limit),
            attempt=job.attempt,
            deadline=deadline,
            links=links,
            log=log.get(f"connectors.{job.connector}"),
            clock=clock,
        )
        return cls(account, job, spec, http, call)

    async def perform(self) -> Outcome:
        """Make the call; any CallError says how it failed."""
        item = self.item()
        if retry.forgotten(self.job, self.spec.effect.window, now=self.call.clock.now()):
            raise Ambiguous(f"{self.job.connector} may have forgotten the key", final=True)
        try:
            with self.account.in_use():
                found = await getattr(self.account.connector, self.spec.name)(self.call, item)
        finally:
            self._count()
        return _joined(found) if self.spec.many else found or Outcome()

    async def look_up(self) -> Outcome | None:
        """Ask the provider whether the job's effect exists; None proves nothing."""
        item = self.item()
        method = getattr(self.account.connector, str(self.spec.lookup))
        try:
            with self.account.in_use():
                found: Outcome | None = await method(self.call, item)
        finally:
            self._count()
        return found

    def _count(self) -> None:
        calls, now = self.http.calls, self.call.clock.now()
        self.account.gate.called(calls, now, self.spec.name, self.http.arrived)

    def item(self) -> Any:
        """Read the payload as the action's input.

        Raises:
            Reject: It does not fit, naming each field.
        """
        raw = read_json(self.job.payload or b"null")
        try:
            if not self.spec.many:
                return self.spec.model.model_validate(raw)
            return [self.spec.model.model_validate(one) for one in _listed(raw)]
        except ValidationError as error:
            raise Reject("the input does not fit the action", errors=fields(error)) from error


def deadline(clock: Clock, lease: timedelta) -> datetime:
    """Give when an attempt must have ended: before its lease could run out unnoticed."""
    return clock.now() + lease


def fields(error: ValidationError) -> dict[str, str]:
    """Name each field a model refused and why, never its value."""
    return {".".join(str(part) for part in e["loc"]): e["msg"] for e in error.errors()}


def input_of(model: type[BaseModel], payload: bytes | None) -> BaseModel:
    """Read a payload as a model.

    Raises:
        Reject: It does not fit, naming each field.
    """
    try:
        return model.model_validate(read_json(payload or b"null"))
    except ValidationError as error:
        raise Reject("the input does not fit the action", errors=fields(error)) from error


def _listed(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else [raw]


def _joined(results: list[ItemResult]) -> Outcome:
    """Join a batch's results: all links, the one or first remote id; any failure is the job's."""
    failed = {str(i): r.error for i, r in enumerate(results) if r.error is not None}
    if failed:
        worst = max(failed.values(), key=lambda e: isinstance(e, Reject))
        if len(results) == 1 or not isinstance(worst, Reject):
            raise worst
        errors = {f"items.{i}": str(e) for i, e in failed.items()}
        raise Reject(f"{len(failed)} of {len(results)} items were refused", errors=errors)
    links = {pair: theirs for r in results for pair, theirs in r.links.items()}
    refs = [r.remote_id for r in results if r.remote_id]
    return Outcome(ref=refs[0] if refs else None, links=links)


def named(error: CallError) -> str:
    """Give an error's class as a word for logs."""
    return type(error).__name__
