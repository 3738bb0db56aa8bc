"""Facts in every order, twice and thrice: one final state, and nothing that does not add up."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.shop.capturing import CaptureWish, capture_payment

EUR = {"currency": "EUR"}
FACTS = {
    "created": {"fact": "action_required", "at": 10},
    "processing": {"fact": "pending", "at": 20},
    "succeeded": {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR},
    "refunded": {"fact": "refunded", "ref": "re_1", "amount": 500, "at": 40, **EUR},
    "disputed": {"fact": "dispute_opened", "ref": "dp_1", "amount": 2000, "at": 50, **EUR},
    "withdrawn": {"fact": "withdrawn", "ref": "txn_1", "amount": 2000, "at": 51, **EUR},
}
FINAL = {
    "orders": [("on_hold", "disputed", ("dispute",), 0, 2500, 500, 2000, False)],
    "payments": [("refunded", 1, 0, 2500, 500, "pi_1")],
    "refunds": [("succeeded", 500, "provider", "re_1")],
    "cases": [("dispute", "open")],
}


def told(desk, order, names):
    for name in names:
        desk.fact(**FACTS[name], order=order)
    return {**desk.state(), "orders": [(*row[:-1], False) for row in desk.state()["orders"]]}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.permutations(list(FACTS)),
    st.lists(st.sampled_from(list(FACTS)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_all_orders_and_repeats_come_to_one_state(new_desk, order, more, chance):
    names = [*order, *more]
    chance.shuffle(names)
    desk = new_desk()
    assert told(desk, desk.ordered(), names) == FINAL
    desk.verify()
    (dispute,) = desk.rows("disputes")
    assert (dispute.provider_ref, dispute.open) == ("dp_1", 1)


WINS = {
    "opened": {"fact": "dispute_opened", "ref": "dp_1", "amount": 2500, "at": 50, **EUR},
    "review": {"fact": "dispute_changed", "ref": "dp_1", "code": "under_review", "at": 55},
    "won": {"fact": "dispute_closed", "ref": "dp_1", "code": "won", "at": 60},
}


@pytest.mark.parametrize("names", list(permutations(WINS)))
def test_a_dispute_ends_alike_however_it_is_told(desk, names):
    order = desk.ordered()
    desk.fact(**FACTS["succeeded"], order=order)
    for name in (*names, *names):
        desk.fact(**WINS[name], order=order)
    (row,) = desk.rows("disputes")
    assert (row.state, row.open) == ("won", 0)
    assert desk.row("orders").lifecycle == "placed"
    assert len(desk.told("dispute.won")) == 1


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        ({"amount": 2499}, "amount_mismatch"),
        ({"amount": 2501}, "overpaid"),
        ({"currency": "USD"}, "currency_mismatch"),
    ],
)
def test_wrong_money_never_places_an_order(desk, fact, kind):
    order = desk.ordered()
    desk.fact(**(FACTS["succeeded"] | fact), order=order)
    row = desk.row("orders")
    assert (row.lifecycle, row.placed_at) == ("on_hold", None)
    assert [case.kind for case in desk.rows("cases")] == [kind]
    assert "order.placed" not in desk.events()


def test_a_part_captured_by_us_is_no_mismatch(desk):
    order = desk.ordered()
    desk.fact("authorized", ref="ch_1", amount=2500, at=10, order=order, **EUR)
    assert desk.row("orders").lifecycle == "placed"
    payment = desk.row("payments").id
    part = CaptureWish(amount={"amount": 1000, "currency": "EUR"})
    desk.change(lambda tx: capture_payment(tx, payment, part, desk.shop.rules))
    desk.fact(**FACTS["succeeded"] | {"amount": 1000}, order=order)
    assert desk.rows("cases") == []
    assert desk.row("orders").payment_status == "partially_paid"


def test_accepted_is_accepted_and_a_new_fault_is_a_new_case(desk):
    order = desk.ordered()
    desk.fact(**FACTS["succeeded"] | {"amount": 2400}, order=order)
    desk.resolve(desk.row("cases").id, "accept", note="a voucher")
    assert desk.row("orders").lifecycle == "placed"
    desk.fact("refunded", ref="re_1", amount=100, at=60, order=order, **EUR)
    assert [c.state for c in desk.rows("cases")] == ["resolved"]
    desk.fact("fraud_warning", ref="w_1", at=70, order=order)
    assert desk.row("orders").hold_reasons == ["fraud_warning"]
