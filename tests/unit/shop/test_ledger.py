"""The ledger is a function of the set of facts: no order of arrival, no repeat, changes it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.shop.guard import account, judge
from hub.shop.ledger import (
    Entry,
    Sums,
    drifted,
    payment_state,
    payment_status,
    refund_state,
    sums,
    together,
)

DAY = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = (
    "pending", "action_required", "attempt_failed", "authorized", "authorization_adjusted",
    "authorization_lapsed", "cancelled", "captured", "refunded", "refund_failed",
    "refund_cancelled", "refund_reversed", "refund_requested", "withdrawn", "reinstated",
    "dispute_opened", "dispute_closed", "checked", "fee", "linked", "checkout_expired",
    "fraud_warning", "fraud_cleared",
)  # fmt: skip


def entry(fact, amount=0, *, ref="r", at=0, **more):
    when = DAY + timedelta(seconds=at)
    return Entry(fact=fact, ref=ref, at=when, amount=amount, currency="EUR", **more)


entries = st.lists(
    st.builds(
        entry,
        st.sampled_from(WORDS),
        st.integers(0, 3).map(lambda n: n * 50),
        ref=st.sampled_from(["a", "b", "c"]),
        at=st.integers(0, 4),
        stated=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda e: (e.fact, e.ref, e.stated),
)


def everything(facts):
    """All that is worked out of one payment's facts."""
    of = sums(facts)
    found = account(ident="pay_1", connector="stripe", asked=100, claimed=None, ours=True,
                    entries=facts)  # fmt: skip
    refunds = tuple(refund_state(facts, [ref]) for ref in "abc")
    return (
        of,
        payment_status(of, 100),
        payment_state(facts, 100),
        refunds,
        drifted(facts),
        judge("ord_1", "EUR", 100, [found]),
    )


@given(entries, st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(facts, dice):
    shuffled = list(facts)
    dice.shuffle(shuffled)
    assert everything(shuffled) == everything(facts)


@given(entries)
def test_what_money_comes_to_is_never_negative_but_charge_backs(facts):
    of = sums(facts)
    assert of.authorized >= 0
    assert of.captured >= 0
    assert of.refunded >= 0
    assert of.net == of.captured - of.refunded - of.charged_back


@given(entries)
def test_once_the_provider_speaks_the_shops_word_adds_nothing(facts):
    own = [e for e in facts if e.fact == "captured" and not e.stated]
    more = [*facts, entry("captured", 5000, ref="told", stated=True)]
    assert (sums(more).captured == sums(facts).captured) is bool(own)


@given(entries, entries)
def test_two_payments_come_to_the_sum_of_both(one, other):
    both = together([sums(one), sums(other)])
    assert both.captured == sums(one).captured + sums(other).captured
    assert both.net == sums(one).net + sums(other).net


STATUSES = [
    # no money asked, none needed
    ({}, 0, "paid"),
    ({}, 100, "none"),
    ({"captured": 100}, 100, "paid"),
    ({"captured": 40}, 100, "partially_paid"),
    ({"captured": 101}, 100, "overpaid"),
    ({"captured": 100, "refunded": 1}, 100, "partially_refunded"),
    # too much, and what was too much is back
    ({"captured": 120, "refunded": 20}, 100, "paid"),
    ({"captured": 100, "refunded": 100}, 100, "refunded"),
    # a lost dispute
    ({"captured": 100, "charged_back": 100}, 100, "refunded"),
    ({"captured": 100, "charged_back": 100, "disputed": True}, 100, "disputed"),
    ({"authorized": 100}, 100, "authorized"),
    ({"authorized": 99}, 100, "pending"),
    ({"waiting": True}, 100, "pending"),
    ({"voided": True, "failed": True}, 100, "voided"),
    ({"failed": True}, 100, "failed"),
    # the refund came before its capture
    ({"refunded": 100}, 100, "none"),
]


@pytest.mark.parametrize(("of", "total", "status"), STATUSES)
def test_the_first_line_that_holds_is_the_status(of, total, status):
    assert payment_status(Sums(**of), total) == status


STATES = [
    ([], "created"),
    ([entry("pending")], "processing"),
    ([entry("action_required", at=1), entry("pending", ref="s")], "requires_action"),
    # a failed attempt at the same second ends the request, and the payment is as new
    ([entry("pending", at=1), entry("attempt_failed", at=1)], "created"),
    ([entry("attempt_failed", at=1), entry("pending", at=2)], "processing"),
    ([entry("authorized", 100)], "authorized"),
    ([entry("authorized", 100), entry("authorization_lapsed", at=1)], "lapsed"),
    ([entry("authorized", 100), entry("cancelled", at=1)], "cancelled"),
    # authorized anew on another card
    ([entry("authorization_lapsed", at=1), entry("authorized", 100, ref="s", at=2)], "authorized"),
    ([entry("checkout_expired", at=1)], "cancelled"),
    ([entry("captured", 60)], "partially_captured"),
    ([entry("captured", 100)], "captured"),
    ([entry("captured", 100), entry("refunded", 1)], "partially_refunded"),
    ([entry("captured", 100), entry("refunded", 100)], "refunded"),
    # money is money, even after a cancellation
    ([entry("captured", 100), entry("cancelled", at=9)], "captured"),
]


@pytest.mark.parametrize(("facts", "state"), STATES)
def test_a_payment_is_where_its_facts_say(facts, state):
    assert payment_state(facts, 100) == state


REFUNDS = [
    ([], "requested"),
    ([entry("refund_requested", 10)], "pending"),
    ([entry("refunded", 10)], "succeeded"),
    ([entry("refund_failed")], "failed"),
    ([entry("refund_cancelled")], "cancelled"),
    ([entry("refunded", 10), entry("refund_failed", at=1)], "reversed"),
    # providers' clocks count seconds: at the same one the failure is the later word
    ([entry("refunded", 10), entry("refund_failed")], "reversed"),
    # a failure before the success is another attempt's
    ([entry("refund_failed"), entry("refunded", 10, at=1)], "succeeded"),
    # about another refund
    ([entry("refunded", 10, ref="other")], "requested"),
]


@pytest.mark.parametrize(("facts", "state"), REFUNDS)
def test_a_refund_is_where_its_facts_say(facts, state):
    assert refund_state(facts, ["r"]) == state


DRIFTS = [
    ([], False),
    ([entry("checked", 10)], True),
    ([entry("checked", 10), entry("refunded", 10)], False),
    # a refund newer than the figure
    ([entry("checked", 10), entry("refunded", 10), entry("refunded", 5, ref="s", at=1)], False),
    # the figure is newer, and lower: a refund of ours is none
    ([entry("checked", 10, at=2), entry("refunded", 15)], True),
    # only the newest figure counts
    ([entry("checked", 99), entry("checked", 10, ref="r@2", at=2), entry("refunded", 10)], False),
]


@pytest.mark.parametrize(("facts", "found"), DRIFTS)
def test_a_figure_is_compared_never_added(facts, found):
    assert drifted(facts) is found
    assert sums(facts).refunded == sum(e.amount for e in facts if e.fact == "refunded")
