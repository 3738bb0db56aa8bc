"""When again: bounds, jitter, Retry-After, ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model import Job
from hub.retry import Policy, again, bound, delay, pause

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(**more: object) -> Job:
    base = {
        "id": 1, "uid": "job_1", "connector": "c", "account": "c", "action": "a", "key": "k",
        "effect": "upsert", "payload": b"", "attempt": 1, "failures": 0, "created_at": NOW,
    }  # fmt: skip
    return Job(**(base | more))  # type: ignore[arg-type]


@given(st.text(min_size=1), st.integers(1, 200))
def test_full_jitter_stays_within_its_bound_and_never_below_a_second(uid, failures) -> None:
    assert 1 <= delay(Policy(), uid, failures) <= max(1, bound(Policy(), failures))


@given(st.text(min_size=1), st.integers(1, 50))
def test_the_same_attempt_of_the_same_job_waits_the_same(uid, failures) -> None:
    assert delay(Policy(), uid, failures) == delay(Policy(), uid, failures)


@given(st.text(min_size=1), st.integers(1, 50), st.floats(0, 10_000))
def test_retry_after_is_a_lower_bound_and_spreads_by_a_tenth(uid, attempt, after) -> None:
    assert delay(Policy(), uid, attempt, after=after) >= after
    assert after <= pause(uid, attempt, after) <= after * 1.1


@pytest.mark.parametrize(
    ("jitter", "low", "high"), [("none", 40, 40), ("equal", 20, 40), ("full", 1, 40)]
)
def test_jitter_draws_from_its_part_of_the_bound(jitter, low, high) -> None:
    policy = Policy(jitter=jitter)
    found = {delay(policy, f"job_{n}", 4) for n in range(200)}
    assert low <= min(found) <= max(found) <= high


@pytest.mark.parametrize(
    ("more", "policy", "window"),
    [
        ({"first_sent_at": NOW - timedelta(days=8)}, Policy(), None),  # too old
        ({"failures": 99}, Policy(), None),  # tried often enough
        ({"give_up_at": NOW}, Policy(), None),  # the route's own age, from birth
        ({"first_sent_at": NOW - timedelta(hours=23)}, Policy(), timedelta(hours=24)),  # key window
    ],
)
def test_it_ends(more, policy, window) -> None:
    assert again(policy, job(**more), now=NOW, window=window) is None


def test_an_age_not_reached_goes_on() -> None:
    due = again(Policy(), job(first_sent_at=NOW - timedelta(days=7)), now=NOW)
    assert due is not None
    assert due > NOW


@pytest.mark.parametrize(
    ("more", "window", "goes_on"),
    [
        ({}, None, True),  # its own age stands still while its account is held
        ({"give_up_at": NOW}, None, False),  # the route's runs from birth, held or not
        ({}, timedelta(hours=24), False),  # and so does the provider's memory of the key
    ],
)
def test_time_held_ages_no_job(more, window, goes_on) -> None:
    late = {"first_sent_at": NOW - timedelta(days=10), "held": timedelta(days=3)}
    assert (again(Policy(), job(**(late | more)), now=NOW, window=window) is not None) is goes_on


def test_a_retry_after_beyond_the_end_ends_it_now() -> None:
    assert again(Policy(max_age=timedelta(hours=1)), job(), now=NOW, after=7200) is None
