"""What follows from each error, for each effect: the whole table."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.effects import Effect, deduped, keyed, unsafe, upsert
from hub.errors import Ambiguous, AuthFailed, RateLimited, Reject, Retry, Skip
from hub.model import Job
from hub.retry import Policy
from hub.verdicts import judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYED, DEDUPED, UPSERT = keyed(timedelta(hours=24)), deduped(timedelta(hours=24)), upsert("x")
READ = Effect("read")


def job(**more: object) -> Job:
    base = {
        "id": 1, "uid": "job_1", "connector": "c", "account": "c", "action": "a", "key": "k",
        "effect": "keyed", "payload": b"{}", "attempt": 1, "failures": 0, "created_at": NOW,
        "first_sent_at": NOW,
    }  # fmt: skip
    return Job(**(base | more))  # type: ignore[arg-type]


def state(error: BaseException, effect: Effect, *, sent: bool = False, **more: object) -> str:
    return judge(error, job(**more), effect, Policy(), now=NOW, sent=sent).state


@pytest.mark.parametrize(
    ("error", "read", "keyed_", "upserted", "deduped_", "unsafe_"),
    [
        # nothing was done: everyone may try again
        (Retry(), "ready", "ready", "ready", "ready", "ready"),
        (RateLimited(after=7), "ready", "ready", "ready", "ready", "ready"),
        (AuthFailed("no"), "ready", "ready", "ready", "ready", "ready"),
        # the provider said no: nobody tries again
        (Reject("no"), "dead", "dead", "dead", "dead", "dead"),
        (Skip("nothing to do"), "skipped", "skipped", "skipped", "skipped", "skipped"),
        # it left, and no answer came: only what cannot be repeated is parked
        (Ambiguous(), "ready", "ready", "ready", "ready", "uncertain"),
        # repeating would only replay the same answer
        (Ambiguous(final=True), "ready", "uncertain", "ready", "ready", "uncertain"),
    ],
)
def test_an_error_and_an_effect_decide(error, read, keyed_, upserted, deduped_, unsafe_) -> None:
    effects = (READ, KEYED, UPSERT, DEDUPED, unsafe)
    found = tuple(state(error, effect) for effect in effects)
    assert found == (read, keyed_, upserted, deduped_, unsafe_)


@pytest.mark.parametrize("error", [Retry(), RateLimited(), AuthFailed("no"), RuntimeError("bug")])
def test_an_unsafe_attempt_that_wrote_is_never_repeated(error) -> None:
    assert state(error, unsafe, sent=True) == "uncertain"
    assert state(error, UPSERT, sent=True) == "ready"


@pytest.mark.parametrize(
    ("error", "used"), [(RateLimited(), False), (AuthFailed(""), False), (Retry(), True)]
)
def test_limits_and_credentials_use_up_no_attempt(error, used) -> None:
    assert judge(error, job(), KEYED, Policy(), now=NOW, sent=False).used is used


def test_past_its_age_a_job_is_dead_and_a_keyed_one_uncertain() -> None:
    old = NOW - timedelta(days=9)
    assert state(Retry(), UPSERT, first_sent_at=old) == "dead"
    assert state(Ambiguous(), KEYED, first_sent_at=NOW - timedelta(hours=23)) == "uncertain"


def test_a_bug_is_tried_three_times() -> None:
    assert [state(KeyError("x"), UPSERT, failures=n) for n in range(3)] == [
        "ready",
        "ready",
        "dead",
    ]


def test_a_reject_names_each_field_in_the_providers_words() -> None:
    error = Reject("refused", errors={"email": "is no address"})
    found = judge(error, job(), UPSERT, Policy(), now=NOW, sent=False)
    assert found.error == "refused (email: is no address)"
