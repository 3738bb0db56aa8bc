"""Cases resolved by a person: what each word does to payments, refunds and the order."""

import pytest

from hub.errors import Refused
from hub.shop.capturing import CaptureWish, capture_payment

EUR = {"currency": "EUR"}
CAPTURED = {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR}


def case(desk, kind):
    """Give the one open case, of this kind."""
    (row,) = desk.rows("cases", state="open")
    assert row.kind == kind
    return row


def test_the_difference_of_an_overpaid_order_goes_back(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED | {"amount": 2700}, order=order)
    closed = desk.resolve(case(desk, "overpaid").id, "refund_difference", note="typed wrong")
    assert (closed["state"], closed["resolution"]) == ("resolved", "refund_difference")
    assert [(r.amount, r.state) for r in desk.rows("refunds")] == [(200, "requested")]
    [(_, asked)] = desk.jobs("refund")
    assert asked["amount"] == {"amount": 200, **EUR}
    assert desk.row("orders").lifecycle == "placed"


def test_all_of_a_wrong_payment_goes_back(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED | {"amount": 2400}, order=order)
    desk.resolve(case(desk, "amount_mismatch").id, "refund_all")
    assert [r.amount for r in desk.rows("refunds")] == [2400]
    assert "order.placed" not in desk.events()


def test_a_stray_payment_is_attached_to_the_order_a_person_names(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, payment="pi_stray", order="ord_of_another_hub")
    desk.clock.advance(15 * 60)
    desk.do("review_unmatched")
    closed = desk.resolve(case(desk, "unmatched_payment").id, "attach", order=order)
    assert (closed["state"], closed["resolution"]) == ("resolved", "attach")
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status) == ("placed", "paid")
    assert desk.rows("cases", state="open") == []


def failed_refund(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    desk.fact("refunded", ref="re_1", amount=500, at=40, order=order, **EUR)
    desk.fact("refund_failed", ref="re_1", amount=500, at=50, order=order, **EUR)
    assert desk.row("orders").refunded == 0
    return case(desk, "refund_failed")


def test_a_failed_refund_is_asked_for_once_more(desk):
    desk.resolve(failed_refund(desk).id, "retry")
    assert [r.state for r in desk.rows("refunds")] == ["reversed", "requested"]
    [(_, asked)] = desk.jobs("refund")
    assert asked["amount"]["amount"] == 500


def test_money_that_went_back_by_another_way_is_written_down(desk):
    found = failed_refund(desk)
    with pytest.raises(Refused, match="how much"):
        desk.resolve(found.id, "record")
    with pytest.raises(Refused, match="EUR"):
        desk.resolve(found.id, "record", amount={"amount": 500, "currency": "USD"})
    desk.resolve(found.id, "record", amount={"amount": 500, **EUR}, note="bank transfer")
    assert (desk.row("orders").refunded, desk.rows("cases", state="open")) == (500, [])


def test_what_is_resolved_or_no_resolution_of_its_kind_is_refused(desk):
    found = failed_refund(desk)
    with pytest.raises(Refused, match="record, retry, write_off"):
        desk.resolve(found.id, "revive")
    desk.resolve(found.id, "write_off")
    with pytest.raises(Refused) as refused:
        desk.resolve(found.id, "write_off")
    assert refused.value.code == "case_resolved"


def test_a_released_dispute_lets_the_order_go_on(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    desk.fact("dispute_opened", ref="dp_1", amount=2500, at=50, order=order, **EUR)
    assert desk.row("orders").lifecycle == "on_hold"
    desk.resolve(case(desk, "dispute").id, "release", note="settled by telephone")
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status) == ("placed", "disputed")


def test_no_more_is_captured_than_was_authorized(desk):
    order = desk.ordered()
    desk.fact("authorized", ref="ch_1", amount=2500, at=10, order=order, **EUR)
    payment = desk.row("payments").id
    more = CaptureWish(amount={"amount": 2501, **EUR})
    with pytest.raises(Refused) as refused:
        desk.change(lambda tx: capture_payment(tx, payment, more, desk.shop.rules))
    assert refused.value.code == "amount_exceeds_authorized"
