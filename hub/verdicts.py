"""What follows from how an attempt ended: pure, one rule per error (knowledge of no provider)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub import retry
from hub.effects import Effect
from hub.errors import (
    Ambiguous,
    AuthFailed,
    CallError,
    MappingError,
    RateLimited,
    Refused,
    Reject,
    Retry,
    Skip,
    Unwanted,
)
from hub.model import Job

PROBE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where the job goes.

    Args:
        used: Whether the attempt counts.
        pause: Until when its account is claimed no more.
        hold: Why the account is held.
        disable: Why it wants no more calls.
    """

    state: Literal["done", "ready", "dead", "uncertain", "skipped"]
    outcome: str
    error: str | None = None
    due_at: datetime | None = None
    used: bool = True
    pause: datetime | None = None
    hold: str | None = None
    disable: str | None = None


def judge(
    error: BaseException,
    job: Job,
    effect: Effect,
    policy: retry.Policy,
    *,
    now: datetime,
    sent: bool,
) -> Verdict:
    """Say what follows from an error.

    Args:
        effect: What the action declares about repeating it.
        sent: Whether a write of this attempt left us and was not refused.
    """
    if sent and effect.kind == "unsafe" and isinstance(error, Retry | RateLimited | AuthFailed):
        # A later call of the attempt failed harmlessly, but an earlier one took effect.
        error = Ambiguous(str(error))
    match error:
        case Skip():
            verdict = Verdict(state="skipped", outcome="skip", error=error.reason)
        case RateLimited():
            until = now + timedelta(seconds=retry.pause(job.uid, job.attempt, error.after))
            verdict = _unused("rate_limited", error, until)
        case AuthFailed():
            verdict = _unused("auth_failed", error, now + PROBE_AFTER, hold=str(error))
        case Unwanted():
            why = str(error)
            verdict = Verdict(
                state="ready", outcome="unwanted", error=why, due_at=now, used=False, disable=why
            )
        case Retry():
            verdict = _later("retry", error, job, effect, policy, now, after=error.after)
        case Ambiguous():
            verdict = _unknown(error, job, effect, policy, now)
        case Reject() | Refused() | MappingError():
            verdict = Verdict(state="dead", outcome="reject", error=_told(error))
        case _:
            verdict = _bug(error, job, effect, policy, now, sent=sent)
    return verdict


def _unused(outcome: str, error: CallError, until: datetime, *, hold: str | None = None) -> Verdict:
    return Verdict(
        state="ready",
        outcome=outcome,
        error=str(error),
        due_at=until,
        used=False,
        pause=until,
        hold=hold,
    )


def _later(outcome: str, error: BaseException, job: Job, effect: Effect, policy: retry.Policy,
           now: datetime, *, after: float | None = None) -> Verdict:  # fmt: skip
    window = effect.window if effect.kind in ("keyed", "deduped") else None
    due = retry.again(policy, job, now=now, after=after, window=window)
    if due is None:
        # An earlier attempt may have been carried out: then the provider is asked, nobody guesses.
        unknown = effect.kind == "keyed" and job.failures > 0
        state: Literal["uncertain", "dead"] = "uncertain" if unknown else "dead"
        return Verdict(state=state, outcome=outcome, error=f"gave up: {error}")
    return Verdict(state="ready", outcome=outcome, error=str(error), due_at=due)


def _unknown(error: Ambiguous, job: Job, effect: Effect, policy: retry.Policy,
             now: datetime) -> Verdict:  # fmt: skip
    """Repeat where repeating is harmless; park where it is not, or would only replay."""
    parked = Verdict(state="uncertain", outcome="ambiguous", error=str(error))
    if effect.kind == "unsafe" or (effect.kind == "keyed" and error.final):
        return parked
    later = _later("ambiguous", error, job, effect, policy, now, after=error.after)
    return parked if later.state == "dead" and effect.kind == "keyed" else later


def _bug(error: BaseException, job: Job, effect: Effect, policy: retry.Policy,
         now: datetime, *, sent: bool) -> Verdict:  # fmt: skip
    text = f"a fault of ours: {type(error).__name__}"
    last = job.failures + 1 >= retry.BUG_TRIES
    if sent and (effect.kind == "unsafe" or (last and effect.kind == "keyed")):
        return Verdict(state="uncertain", outcome="bug", error=text)
    if last:
        return Verdict(state="dead", outcome="bug", error=text)
    return _later("bug", Retry(text), job, effect, policy, now)


def _told(error: BaseException) -> str:
    """Give the provider's own words, field by field."""
    fields = error.errors if isinstance(error, Reject) else {}
    more = "; ".join(f"{name}: {text}" if name else text for name, text in fields.items())
    return f"{error} ({more})" if more and more not in str(error) else str(error)
