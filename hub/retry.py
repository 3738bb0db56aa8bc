"""When to try again: a pure function of (job, attempt, error, now). tenacity gives the bounds."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_exponential

from hub.model import Job

MIN_WAIT = 1.0
LATE_SHARE = 0.1  # Retry-After grows by up to this share, so that jobs do not return together
BUG_TRIES = 3
KEY_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long and how often a job is tried; times in seconds, ages as timedelta."""

    max_age: timedelta = timedelta(days=8)
    max_attempts: int = 100
    initial: float = 5.0
    factor: float = 2.0
    max_wait: float = 21_600.0
    jitter: Literal["full", "equal", "none"] = "full"


def bound(policy: Policy, failures: int) -> float:
    """Give the longest wait after so many used attempts: min(max, initial · factorⁿ⁻¹).

    >>> bound(Policy(), 1), bound(Policy(), 2), bound(Policy(), 40)
    (5.0, 10.0, 21600.0)
    """
    wait = wait_exponential(multiplier=policy.initial, exp_base=policy.factor, max=policy.max_wait)
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failures
    return float(wait(state))


def delay(policy: Policy, uid: str, failures: int, *, after: float | None = None) -> float:
    """Draw the wait before the next attempt, the same for the same job and attempt.

    Args:
        uid: The job's uid; with `failures` it seeds the draw.
        failures: Used attempts so far, at least 1.
        after: The provider's Retry-After in seconds: never earlier.
    """
    draw = random.Random(f"{uid}:{failures}").random()  # noqa: S311 -- spreads load, no secret
    top = bound(policy, failures)
    wait = {"full": draw * top, "equal": (1 + draw) * top / 2, "none": top}[policy.jitter]
    floor = after * (1 + LATE_SHARE * draw) if after is not None else 0.0
    return max(wait, floor, MIN_WAIT)


def pause(uid: str, attempt: int, after: float | None) -> float:
    """Give how long a rate-limited account waits: what it was told, and up to a tenth more."""
    draw = random.Random(f"{uid}:{attempt}").random()  # noqa: S311 -- spreads load, no secret
    return (after if after is not None else MIN_WAIT) * (1 + LATE_SHARE * draw)


def forgotten(job: Job, window: timedelta | None, *, now: datetime) -> bool:
    """Say whether the provider may have forgotten the key of a job that was tried before.

    So it stands after a long hold, or a hub that was down.
    """
    if window is None or not job.failures or job.first_sent_at is None:
        return False
    return now >= job.first_sent_at + window - KEY_MARGIN


def again(
    policy: Policy,
    job: Job,
    *,
    now: datetime,
    after: float | None = None,
    window: timedelta | None = None,
) -> datetime | None:
    """Say when a job is tried next; None means never: its age, attempts or key window end first.

    Args:
        job: The job whose attempt just failed; that attempt is not yet in `failures`.
        window: How long the provider remembers the key, for keyed actions.
    """
    failures = job.failures + 1
    if failures >= policy.max_attempts:
        return None
    due = now + timedelta(seconds=delay(policy, job.uid, failures, after=after))
    ends = [job.give_up_at or (job.first_sent_at or now) + policy.max_age + job.held]
    if window is not None:
        ends.append((job.first_sent_at or now) + window - KEY_MARGIN)
    return due if due < min(ends) else None
