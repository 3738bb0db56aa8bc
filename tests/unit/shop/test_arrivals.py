"""Whole shops compared: the same facts in two orders, with repeats, through the real tables."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EUR = {"currency": "EUR"}
FACTS = [
    {"fact": "pending", "ref": "pi_1", "at": 10},
    {"fact": "attempt_failed", "ref": "ch_0", "at": 11},
    {"fact": "authorized", "ref": "ch_1", "amount": 2500, "at": 20, **EUR},
    {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR},
    {"fact": "captured", "payment": "pi_2", "ref": "ch_2", "amount": 500, "at": 31, **EUR},
    {"fact": "refunded", "ref": "re_1", "amount": 1000, "at": 40, **EUR},
    {"fact": "refund_failed", "ref": "re_1", "amount": 1000, "at": 41, **EUR},
    {"fact": "refunded", "ref": "re_2", "amount": 2500, "at": 42, **EUR},
    {"fact": "dispute_opened", "ref": "dp_1", "amount": 500, "at": 50, **EUR},
    {"fact": "withdrawn", "ref": "txn_1", "amount": 500, "at": 50, **EUR},
    {"fact": "dispute_closed", "ref": "dp_1", "at": 60},
    {"fact": "reinstated", "ref": "txn_2", "amount": 500, "at": 60, **EUR},
    {"fact": "fraud_warning", "ref": "w_1", "at": 5},
    {"fact": "fraud_cleared", "ref": "w_1", "at": 6},
]
chosen = st.lists(st.sampled_from(range(len(FACTS))), min_size=1, max_size=7, unique=True)


def final(shop):
    """What is left when everything has come; when it was first paid is history, not state."""
    state = shop.state()
    orders = [(*order[1:3], *order[3:7]) for order in state["orders"]]
    open_cases = [kind for kind, now in state["cases"] if now == "open"]
    return orders, sorted(state["payments"]), state["refunds"], open_cases


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chosen, st.randoms(use_true_random=False))
def test_two_orders_of_arrival_leave_one_state(new_desk, numbers, dice):
    left = []
    for _ in range(2):
        shop = new_desk()
        order = shop.ordered()
        again = [*numbers, *dice.choices(numbers, k=2)]
        dice.shuffle(again)
        for number in again:
            shop.fact(**FACTS[number], order=order)
        left.append(final(shop))
    assert left[0] == left[1]


def test_events_of_one_aggregate_are_numbered_without_gaps(desk):
    order = desk.ordered()
    for fact in FACTS:
        desk.fact(**fact, order=order)
    mine = [row for row in desk.rows("events") if row.aggregate_id == order]
    assert [row.sequence for row in mine] == list(range(1, len(mine) + 1))
    versions = [row.aggregate_version for row in mine]
    assert all(a <= b for a, b in itertools.pairwise(versions))
    assert desk.row("orders").sequence == len(mine)
