"""An account in the model: paused by a person, held by bad credentials, its breaker open.

Each halt is an interval; how long a job was held is the length of their union. The store adds up
ended halts in one number instead, so the two can differ only where one of them is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.settle import Completion

FAILURES, WITHIN, OPEN_FOR = 4, timedelta(seconds=60), timedelta(seconds=60)
STRIKES = ("retry", "ambiguous")
ANSWERED = ("reject", "rate_limited", "auth_failed", "skip")


@dataclass
class Halt:
    why: str
    since: datetime
    until: datetime | None = None


@dataclass
class Account:
    """What all nodes know of an account."""

    halts: list[Halt] = field(default_factory=list)
    paused_until: datetime | None = None
    probe_at: datetime | None = None
    strikes: list[datetime] = field(default_factory=list)

    def halt(self, why: str) -> Halt | None:
        return next((one for one in self.halts if one.why == why and one.until is None), None)

    def begin(self, why: str, now: datetime) -> bool:
        """Halt it; False where it is already, for that reason."""
        if self.halt(why):
            return False
        self.halts.append(Halt(why, now))
        return True

    def end(self, why: str, now: datetime) -> bool:
        found = self.halt(why)
        if found:
            found.until = now
        return found is not None

    @property
    def on_trial(self) -> bool:
        return bool(self.halt("held") or self.halt("open"))

    def halted(self, since: datetime | None, now: datetime) -> timedelta:
        """Give how much of the time since then it was halted."""
        total, covered = timedelta(0), since or now
        for one in sorted(self.halts, key=lambda one: one.since):
            start, stop = max(one.since, covered), min(one.until or now, now)
            total += max(stop - start, timedelta(0))
            covered = max(covered, stop)
        return total

    # -- claims ------------------------------------------------------------------------------------
    def room(self, most: int, now: datetime) -> int:
        """Say how many jobs a claim may lease."""
        if self.halt("paused") or (self.paused_until and self.paused_until > now):
            return 0
        if not self.on_trial:
            return most
        return 0 if self.probe_at and self.probe_at > now else min(most, 1)

    def claimed(self, until: datetime) -> None:
        if self.on_trial:
            self.probe_at = until

    # -- what attempts tell ------------------------------------------------------------------------
    def told(self, dones: Sequence[Completion], now: datetime) -> bool:
        """Note what attempts say; True where its breaker closes."""
        pauses = [done.pause for done in dones if done.pause]
        if pauses or any(done.release for done in dones):
            self.paused_until = max(pauses, default=None)
        well = [_well(done) for done in dones if done.job.probe]
        holds = [done for done in dones if done.hold]
        if holds:
            self.begin("held", now)
        elif any(done.release for done in dones) or True in well:
            self.end("held", now)
        closed = False
        for one in well:
            closed = (self.end("open", now) if one else False) or closed
            self.probe_at = now + OPEN_FOR if one is False else None
            self.strikes = []
        self._strike([d for d in dones if d.outcome in STRIKES and not d.job.probe], now)
        return closed and not self.halt("open")

    def _strike(self, dones: Sequence[Completion], now: datetime) -> None:
        count = sum(done.breaker is not None for done in dones)
        if self.halt("open") or not count:
            return
        self.strikes = [at for at in self.strikes if at > now - WITHIN] + [now] * count
        if len(self.strikes) >= FAILURES:
            self.begin("open", now)
            self.strikes, self.probe_at = [], now + OPEN_FOR


def _well(done: Completion) -> bool | None:
    """Say whether a probe proves the provider well or ill; None: it proves nothing."""
    if done.outcome in STRIKES:
        return False
    answered = done.outcome in ANSWERED and done.status is not None
    return True if done.outcome == "ok" or answered else None
