"""Allowances: a whole one may be spent at once, then it comes back evenly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.gcra import Meter, Quota, spend

GAPS = st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=60)


def test_a_burst_gets_the_allowance_and_no_more() -> None:
    meter = Meter(Quota(100, 60))
    assert sum(meter.spend("a", 1000.0).allowed for _ in range(1000)) == 100


def test_who_waits_as_told_is_served() -> None:
    meter = Meter(Quota(3, 60))
    now = 0.0
    for _ in range(3):
        meter.spend("a", now)
    refused = meter.spend("a", now)
    assert (refused.allowed, refused.left, refused.wait) == (False, 0, 20)
    assert not meter.spend("a", now + refused.wait - 0.01).allowed
    assert meter.spend("a", now + refused.wait).allowed


def test_a_refusal_costs_nothing() -> None:
    meter = Meter(Quota(1, 10))
    meter.spend("a", 0)
    for n in range(9):
        assert not meter.spend("a", float(n)).allowed
    assert meter.spend("a", 10).allowed


def test_callers_do_not_share_and_a_look_spends_nothing() -> None:
    meter = Meter(Quota(1, 10))
    assert meter.spend("a", 0).allowed
    assert meter.spend("b", 0).allowed
    assert [meter.look("c", 0).left for _ in range(3)] == [1, 1, 1]


def test_only_so_many_callers_are_remembered() -> None:
    meter = Meter(Quota(1, 10), most=2)
    for caller in "abc":
        meter.spend(caller, 0)
    assert meter.look("a", 0).left == 1
    assert (meter.look("b", 0).left, meter.look("c", 0).left) == (0, 0)


@given(gaps=GAPS, units=st.integers(1, 7), window=st.floats(min_value=0.5, max_value=20))
def test_never_more_than_a_burst_and_what_comes_back(gaps, units, window) -> None:
    quota, now, whole, granted = Quota(units, window), 0.0, 0.0, []
    for gap in gaps:
        now += gap
        found = spend(quota, whole, now)
        whole = found.whole_at
        assert 0 <= found.left <= units
        if found.allowed:
            granted.append(now)
        else:
            assert found.wait > 0
    for i, first in enumerate(granted):
        for n, last in enumerate(granted[i:], 1):
            assert n <= units + (last - first) / quota.each + 1 + 1e-6


@pytest.mark.parametrize("units", [1, 3, 10])
def test_what_it_says_is_left_can_be_spent(units) -> None:
    meter, now = Meter(Quota(units, 10)), 5.0
    while (left := meter.look("a", now).left) > 0:
        assert meter.spend("a", now).left == left - 1
    assert not meter.spend("a", now).allowed
