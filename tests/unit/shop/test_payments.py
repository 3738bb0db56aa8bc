"""Facts about payments: in any order, twice, late, early, wrong."""

from itertools import permutations

import pytest

from hub.errors import Refused
from hub.shop.payments import handoff_of

EUR = {"currency": "EUR"}
CAPTURED = {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR}
REFUNDED = {"fact": "refunded", "ref": "re_1", "amount": 2500, "at": 40, **EUR}
PENDING = {"fact": "pending", "at": 20}
FAILED = {"fact": "attempt_failed", "ref": "ch_0", "at": 10, "code": "card_declined"}


def test_a_captured_payment_places_the_order_and_pays_it_once(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order, event="evt_stripe")
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.captured) == ("placed", "paid", 2500)
    assert row.placed_at == row.paid_at == desk.clock.now()
    assert desk.row("reservations").state == "committed"
    assert desk.events("shop.")[-4:] == [
        "payment.captured", "order.payment_status_changed", "order.placed", "order.paid",
    ]  # fmt: skip
    (paid,) = desk.told("order.paid")
    assert paid.origin == "live"
    assert paid.causation == "evt_stripe"
    assert paid.data["order"]["payments"] == [
        {"connector": "stripe", "provider_ref": "pi_1", "amount": {"amount": 2500, **EUR}}
    ]
    (changed,) = desk.told("order.payment_status_changed")
    assert changed.data["change"] == {"from": "none", "to": "paid"}


def test_the_same_fact_again_changes_nothing(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    tables = ("orders", "payments", "payment_facts", "events", "jobs", "cases")
    before = {name: desk.rows(name) for name in tables}
    for _ in range(3):
        assert desk.fact(**CAPTURED, order=order)["new"] is False
    assert {name: desk.rows(name) for name in tables} == before


def test_an_order_is_paid_once_however_its_money_comes_and_goes(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    first = desk.row("orders").paid_at
    for number in range(2):
        desk.clock.advance(3600)
        desk.fact("refunded", ref=f"re_{number}", amount=500, at=100, **EUR)
        desk.fact("refund_failed", ref=f"re_{number}", amount=500, at=200, **EUR)
    row = desk.row("orders")
    assert (row.payment_status, row.paid_at, row.placed_at) == ("paid", first, first)
    assert len(desk.told("order.paid")) == len(desk.told("order.placed")) == 1


@pytest.mark.parametrize("facts", list(permutations([FAILED, PENDING, CAPTURED, REFUNDED])))
def test_every_order_of_arrival_comes_to_the_same(desk, facts):
    order = desk.ordered()
    for fact in facts:
        desk.fact(**fact, order=order)
        desk.fact(**fact, order=order)
    assert desk.state() == {
        "orders": [("placed", "refunded", (), 0, 2500, 2500, 0, True)],
        "payments": [("refunded", 1, 0, 2500, 2500, "pi_1")],
        "refunds": [("succeeded", 2500, "provider", "re_1")],
        "cases": [],
    }
    for name in ("placed", "paid", "refunded"):
        assert len(desk.told(f"order.{name}")) == 1, name


def test_a_failed_attempt_is_not_the_end(desk):
    order = desk.ordered()
    desk.fact(**FAILED, order=order)
    assert desk.row("orders").payment_status == "failed"
    assert desk.row("payments").state == "created"
    assert desk.events("shop.")[-3:] == [
        "payment.failed", "order.payment_status_changed", "order.payment_failed",
    ]  # fmt: skip
    desk.fact(**PENDING, order=order)
    assert desk.row("orders").payment_status == "pending"
    desk.fact(**CAPTURED, order=order)
    assert desk.row("orders").payment_status == "paid"


def test_an_authorized_order_is_placed_before_its_money_comes(desk):
    order = desk.ordered()
    desk.fact("authorized", ref="ch_1", amount=2500, at=5, order=order, **EUR)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.paid_at) == ("placed", "authorized", None)
    desk.fact(**CAPTURED, order=order)
    row = desk.row("orders")
    assert (row.payment_status, row.authorized, row.captured) == ("paid", 0, 2500)
    words = [w for w in desk.events("shop.order.") if w != "order.payment_status_changed"]
    assert words == ["order.created", "order.authorized", "order.placed", "order.paid"]


WRONG_MONEY = [
    # less than was asked for
    ({"amount": 1}, "amount_mismatch", "partially_paid", 1),
    # more than the order is worth
    ({"amount": 2501}, "overpaid", "overpaid", 1),
    # the right number of the wrong coins
    ({"currency": "USD"}, "currency_mismatch", "none", 0),
    # the provider says it was for another order
    ({"order": "ord_another"}, "foreign_payment", "none", 0),
]


@pytest.mark.parametrize(("change", "kind", "status", "counts"), WRONG_MONEY)
def test_wrong_money_holds_the_order_and_never_places_it(desk, change, kind, status, counts):
    order = desk.ordered()
    desk.fact(**{**CAPTURED, "order": order, **change})
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status) == ("on_hold", status)
    assert (row.hold_reasons, row.placed_at, row.paid_at) == ([kind], None, None)
    assert desk.row("payments").counts == counts
    case = desk.row("cases")
    assert (case.kind, case.state, case.order_id) == (kind, "open", order)
    assert case.evidence
    (held,) = desk.told("order.held")
    assert held.data["reasons"] == [kind]
    assert desk.told("order.paid") == desk.told("order.placed") == []
    assert len(desk.told("case.opened")) == 1


def test_the_rest_of_a_payment_settles_its_case_and_pays_the_order(desk):
    order = desk.ordered()
    desk.fact("captured", ref="ch_1", amount=1000, order=order, **EUR)
    assert desk.row("orders").lifecycle == "on_hold"
    desk.fact("captured", ref="ch_2", amount=1500, order=order, **EUR)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.hold_reasons) == ("placed", "paid", [])
    assert (desk.row("cases").state, desk.row("cases").resolved_by) == ("resolved", "hub")
    assert len(desk.told("order.paid")) == len(desk.told("order.released")) == 1


def test_a_second_payment_of_the_whole_is_a_double_payment(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    desk.fact("captured", "pi_2", ref="ch_2", amount=2500, order=order, **EUR)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.captured) == ("on_hold", "overpaid", 5000)
    assert desk.row("cases").kind == "double_payment"
    # one of them given back: settled, and the order goes on
    desk.fact("refunded", "pi_2", ref="re_2", amount=2500, at=50, **EUR)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status) == ("placed", "paid")
    assert desk.row("cases").state == "resolved"
    assert len(desk.told("order.paid")) == 1


def test_a_payment_at_a_connector_we_did_not_ask_is_foreign(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, payment="PAY-1", connector="paypal", order=order)
    assert desk.row("orders").payment_status == "none"
    assert desk.row("orders").hold_reasons == ["foreign_payment"]


def test_the_same_capture_with_another_amount_overwrites_nothing(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    desk.fact(**{**CAPTURED, "amount": 1}, order=order)
    assert desk.row("payment_facts", fact="captured").amount == 2500
    case = desk.row("cases")
    assert case.kind == "ledger_conflict"
    assert case.evidence["told"]["amount"] == 1
    assert desk.row("orders").lifecycle == "on_hold"
    desk.fact(**{**CAPTURED, "amount": 1}, order=order)
    assert len(desk.rows("cases")) == 1


def test_a_dispute_holds_the_order_until_the_money_is_back(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    desk.fact("dispute_opened", ref="dp_1", amount=2500, at=50, **EUR)
    assert desk.row("orders").payment_status == "disputed"
    assert desk.row("orders").hold_reasons == ["dispute"]
    desk.fact("withdrawn", ref="txn_1", amount=2500, at=51, **EUR)
    desk.fact("dispute_closed", ref="dp_1", at=60, code="won")
    assert desk.row("orders").payment_status == "refunded"
    assert desk.row("orders").lifecycle == "on_hold"
    desk.fact("reinstated", ref="txn_2", amount=2500, at=61, **EUR)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.charged_back) == ("placed", "paid", 0)
    assert len(desk.told("order.paid")) == 1


def test_a_fraud_warning_holds_until_it_is_cleared(desk):
    order = desk.ordered()
    desk.fact("fraud_warning", ref="prv_1", order=order)
    desk.fact(**CAPTURED, order=order)
    assert desk.row("orders").lifecycle == "on_hold"
    desk.fact("fraud_cleared", ref="prv_1", at=90)
    row = desk.row("orders")
    assert (row.lifecycle, row.paid_at is not None) == ("placed", True)


# -- whose payment is it ---------------------------------------------------------------------------
def test_a_webhook_before_the_answer_finds_its_payment_by_the_order(desk):
    desk.product()
    made = desk.complete(desk.cart())
    desk.fact(**CAPTURED, order=made["order"]["id"])
    payment = desk.row("payments")
    assert (payment.id, payment.provider_ref) == (made["payment"]["id"], "pi_1")
    assert desk.row("orders").payment_status == "paid"
    desk.do("attach_payment", payment=payment.id, connector="stripe", ref="pi_1")
    assert desk.row("orders").payment_status == "paid"
    assert len(desk.rows("payments")) == len(desk.told("order.paid")) == 1


def test_a_webhook_before_the_answer_finds_its_payment_by_the_job_it_echoes(desk):
    desk.product()
    made = desk.complete(desk.cart())
    desk.fact(**CAPTURED, job=desk.row("payments").job)
    assert desk.row("payments").provider_ref == "pi_1"
    assert desk.row("orders", id=made["order"]["id"]).payment_status == "paid"


SESSION = {"payment": "cs_1", "ref": "cs_1", "counterpart": "pi_9"}
CHECKOUT = [
    {"fact": "linked", **SESSION, "at": 31},
    {"fact": "captured", "payment": "pi_9", "ref": "ch_9", "amount": 2500, "at": 30, **EUR},
    {"fact": "pending", "payment": "pi_9", "ref": "pi_9", "at": 20},
]


@pytest.mark.parametrize("named", [True, False], ids=["order named", "order not named"])
@pytest.mark.parametrize("attach", [0, 1, 2, 3])
@pytest.mark.parametrize("facts", list(permutations(CHECKOUT)))
def test_a_session_and_its_intent_are_one_payment(desk, facts, attach, named):
    desk.product()
    back = "https://shop.example/"
    made = desk.complete(desk.cart(), connector="stripe", method="checkout", return_url=back)
    payment, order = made["payment"]["id"], made["order"]["id"]
    for place in range(4):
        if place == attach:
            desk.do("attach_payment", payment=payment, connector="stripe", ref="cs_1",
                    handoff={"redirect_url": "https://pay.example/cs_1"})  # fmt: skip
        if place < 3:
            desk.fact(**facts[place], order=order if named else None)
    assert desk.state() == {
        "orders": [("placed", "paid", (), 0, 2500, 0, 0, True)],
        "payments": [("captured", 1, 0, 2500, 0, "pi_9")],
        "refunds": [],
        "cases": [],
    }
    assert [p.id for p in desk.rows("payments") if p.merged_into is None] == [payment]
    assert len(desk.told("order.paid")) == 1


def test_a_refused_payment_says_why(desk):
    desk.product()
    made = desk.complete(desk.cart())
    payment = made["payment"]["id"]
    order, error = made["order"]["id"], "card declined"
    told = desk.do("attach_payment", payment=payment, connector="stripe", error=error)
    assert told == {"payment": payment, "order": order, "state": "failed", "error": error}
    assert desk.row("orders").payment_status == "failed"
    assert len(desk.told("payment.failed")) == len(desk.told("order.payment_failed")) == 1
    # sent again by hand, it went through after all
    desk.do("attach_payment", payment=payment, connector="stripe", ref="pi_1")
    desk.fact(**CAPTURED)
    assert desk.row("payments").error is None
    assert desk.row("orders").payment_status == "paid"


def test_what_the_page_needs_to_pay_is_sealed(desk):
    desk.ordered()
    row = desk.row("payments")
    assert b"pi_1_secret" not in row.handoff
    assert desk.change(lambda tx: handoff_of(tx, row)) == {"client_secret": "pi_1_secret"}
    assert all("pi_1_secret" not in str(e.data) for e in desk.told("payment.created"))


def test_a_payment_of_nobody_is_told_about(desk):
    with pytest.raises(Refused) as refusal:
        desk.do("attach_payment", payment="pay_no", connector="stripe", ref="pi_1")
    assert refusal.value.code == "not_found"


def test_an_unmatched_payment_is_kept_and_after_a_while_a_case(desk):
    desk.fact(**CAPTURED, order="ord_of_another_hub")
    payment = desk.row("payments")
    assert (payment.order_id, payment.captured, payment.state) == (None, 2500, "captured")
    assert desk.events() == ["payment.captured", "payment.unmatched"]
    assert desk.do("review_unmatched") == {"unmatched": 0}
    desk.clock.advance(15 * 60)
    assert desk.do("review_unmatched") == {"unmatched": 1}
    assert desk.do("review_unmatched") == {"unmatched": 0}
    case = desk.row("cases")
    assert (case.kind, case.subject) == ("unmatched_payment", payment.id)
    assert case.evidence["names"] == "ord_of_another_hub"


def test_the_case_of_an_unmatched_payment_ends_when_its_order_appears(desk):
    desk.fact(**CAPTURED, order="W-1")
    desk.clock.advance(15 * 60)
    desk.do("review_unmatched")
    line = {"sku": "MUG", "title": "Mug", "qty": 2}
    line["unit_price"] = {"amount": 1250, "currency": "EUR"}
    made = desk.do(
        "create_order", external_ref="W-1", currency="EUR", customer={"email": "a@example.com"},
        lines=[line],
    )  # fmt: skip
    case = desk.row("cases")
    assert (case.state, case.resolved_by, case.order_id) == ("resolved", "hub", made["order"]["id"])
    assert desk.told("case.resolved")
    assert desk.row("orders").payment_status == "paid"
