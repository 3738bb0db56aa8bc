"""What a budget learns from the headers of answers, and what it leaves alone."""

import pytest

from hub.budget import PLENTY, Budget
from hub.effects import Limit, RateHeaders

HEADERS = RateHeaders(remaining="Left", limit="Max", reset="Reset")
KNOWN = Limit(100, per=10, headers=HEADERS)
UNTOLD = Limit(None, per=60, headers=HEADERS)
NOW = 1_800_000_000.0


def heard(limit: Limit, *, spent: int = 0, flying: int = 0, **headers: str) -> Budget:
    budget = Budget(limit)
    budget.spend(spent, NOW, job=False)
    budget.hear({name.capitalize(): value for name, value in headers.items()}, NOW, flying=flying)
    return budget


@pytest.mark.parametrize(
    ("spent", "flying", "left", "room"),
    [
        (10, 0, "90", 90),  # as we count
        (10, 5, "85", 90),  # those under way are counted there already
        (10, 0, "30", 30),  # another application of the account calls too
        (10, 0, "0", 0),
        (10, 0, "95", 90),  # we know better
        (10, 0, "many", 90),
        (10, 0, "-5", 90),
        (10, 0, "٣", 90),
    ],
)
def test_what_others_called_is_gone_for_a_window(spent, flying, left, room) -> None:
    budget = heard(KNOWN, spent=spent, flying=flying, left=left)
    assert budget.left(NOW) == room
    assert budget.left(NOW + 10.1) == 100


def test_a_smaller_plan_is_learnt_and_a_larger_one_asks_for_a_setting() -> None:
    assert heard(KNOWN, left="40", max="50").left(NOW + 10.1) == 50
    assert heard(KNOWN, left="200", max="250").left(NOW) == 100


@pytest.mark.parametrize(
    ("reset", "until"),
    [("30", 30.0), (str(int(NOW) + 30), 30.0), (None, 60.0), ("soon", 60.0)],
)
def test_a_limit_that_only_answers_tell_is_held_to_until_its_reset(reset, until) -> None:
    told = {"left": "2"} | ({"reset": reset} if reset else {})
    budget = heard(UNTOLD, **told)
    assert budget.left(NOW) == 2
    budget.spend(2, NOW)
    assert (budget.left(NOW), budget.wait(NOW) >= until) == (0, True)
    assert budget.left(NOW + until - 0.1) == 0
    assert budget.left(NOW + until + 0.1) > 1000


def test_nothing_holds_a_limit_nobody_told() -> None:
    assert Budget(UNTOLD).left(NOW) == PLENTY
    assert Budget(UNTOLD).wait(NOW) is None


def test_syncs_leave_the_reserve_alone() -> None:
    budget = heard(KNOWN, spent=70, left="30")
    assert (budget.left(NOW), budget.left(NOW, reserve=0.2)) == (30, 10)


def test_a_day_of_calls_is_kept_in_few_pieces() -> None:
    budget = Budget(Limit(650_000, per=86_400))
    for second in range(0, 86_400, 3):
        budget.spend(7, NOW + second)
    assert len(budget.ended) <= 502
    assert budget.left(NOW + 86_399) == (650_000 - 28_800 * 7) // 7
