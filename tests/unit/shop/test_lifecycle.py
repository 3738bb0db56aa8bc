"""An order's life: expired, cancelled, held, edited, closed; its stock and money follow."""

from datetime import timedelta

import pytest

from hub.errors import Refused
from hub.shop.backend import Shop
from hub.shop.editing import EditLines, edit_lines
from tests.unit.shop.conftest import RULES

EUR = {"currency": "EUR"}
CAPTURED = {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR}


def stock(desk):
    row = desk.row("stock")
    return row.on_hand, row.reserved


def paid(desk):
    order = desk.ordered()
    desk.fact(**CAPTURED, order=order)
    return order


def by(desk, **rules):
    """Let the desk go by other rules."""
    desk.shop = Shop(type(RULES)(**{f: getattr(RULES, f) for f in RULES.__slots__} | rules))


# -- expiry ----------------------------------------------------------------------------------------
def test_an_unpaid_order_expires_only_when_its_payment_is_cancelled_at_the_provider(desk):
    order = desk.ordered()
    assert desk.do("expire_order", order=order)["expired"] is False  # not due
    desk.clock.advance(30 * 60)
    assert desk.do("expire_order", order=order)["expired"] is False  # first it is asked
    ((job, body),) = desk.jobs("cancel_payment")
    assert (job.key.startswith("cancel:pay_"), body) == (True, {"order": order, "ref": "pi_1"})
    desk.clock.advance(60)
    assert desk.do("expire_order", order=order)["expired"] is False  # no answer yet, asked once
    assert len(desk.jobs("cancel_payment")) == 1
    assert stock(desk) == (10, 2)
    desk.fact("cancelled", at=90, order=order)
    desk.clock.advance(60)
    assert desk.do("expire_order", order=order)["expired"] is True
    assert desk.row("orders").lifecycle == "expired"
    assert stock(desk) == (10, 0)
    assert desk.row("reservations").state == "expired"
    assert desk.events("shop.order.")[-1] == "order.expired"


def test_an_order_that_was_paid_meanwhile_does_not_expire(desk):
    order = desk.ordered()
    desk.clock.advance(30 * 60)
    desk.do("expire_order", order=order)
    desk.fact(**CAPTURED, order=order)  # what the provider says instead of cancelling
    desk.clock.advance(3600)
    assert desk.do("expire_order", order=order)["expired"] is False
    assert desk.row("orders").lifecycle == "placed"
    assert stock(desk) == (10, 2)


def test_an_order_without_a_payment_expires_at_once(desk):
    desk.product()
    cart = desk.cart()
    made = desk.do("complete_cart", cart=cart["id"], expected_total=cart["totals"]["total"])
    desk.clock.advance(30 * 60)
    assert desk.do("expire_order", order=made["order"]["id"])["expired"] is True


def test_a_bank_that_is_at_it_gets_longer(desk):
    order = desk.ordered()
    desk.fact("pending", at=20, order=order)
    desk.clock.advance(30 * 60)
    assert desk.do("expire_order", order=order)["expired"] is False
    made = desk.row("orders")
    assert made.expires_at == made.created_at + timedelta(days=7)
    assert desk.jobs("cancel_payment") == []


def test_what_is_partly_paid_is_left_to_staff(desk):
    order = desk.ordered()
    desk.fact("captured", ref="ch_1", amount=1000, at=30, order=order, **EUR)
    assert desk.row("orders").lifecycle == "on_hold"
    desk.clock.advance(3600)
    assert desk.do("expire_order", order=order)["expired"] is False


# -- late money ------------------------------------------------------------------------------------
def expired(desk):
    order = desk.ordered()
    desk.clock.advance(30 * 60)
    desk.do("expire_order", order=order)
    desk.fact("cancelled", at=20, order=order)
    desk.clock.advance(60)
    assert desk.do("expire_order", order=order)["expired"] is True
    return order


def test_money_after_expiry_opens_a_case(desk):
    order = expired(desk)
    desk.fact(**CAPTURED, order=order)
    row = desk.row("orders")
    assert (row.lifecycle, row.payment_status, row.captured) == ("expired", "paid", 2500)
    assert desk.row("cases").kind == "late_money"
    assert "order.placed" not in desk.events()


def test_late_money_goes_back_where_the_shop_says_so(desk):
    by(desk, late_money="refund")
    order = expired(desk)
    desk.fact(**CAPTURED, order=order)
    assert desk.rows("cases") == []
    assert [(r.amount, r.state) for r in desk.rows("refunds")] == [(2500, "requested")]


def test_late_money_revives_the_order_where_the_shop_says_so(desk):
    by(desk, late_money="revive")
    order = expired(desk)
    desk.fact(**CAPTURED, order=order)
    assert desk.row("orders").lifecycle == "placed"
    assert stock(desk) == (10, 2)
    assert desk.rows("cases") == []
    assert desk.events("shop.order.")[-2:] == ["order.placed", "order.paid"]


def test_an_order_revived_without_stock_is_held_until_a_person_finds_some(desk):
    by(desk, late_money="revive")
    order = expired(desk)
    desk.complete(desk.cart(("MUG", 10), email="other@example.com"), connector="stripe")
    desk.fact(**CAPTURED, order=order)
    row = desk.row("orders", id=order)
    assert (row.lifecycle, row.hold_reasons) == ("on_hold", ["oversold"])
    case = desk.row("cases")
    with pytest.raises(Refused, match="too few"):
        desk.resolve(case.id, "adjust")
    desk.resolve(case.id, "backorder")
    assert desk.row("orders", id=order).lifecycle == "placed"
    stocked = desk.row("stock")
    assert (stocked.reserved, stocked.backorder_limit) == (12, 2)


def test_a_person_may_revive_what_expired(desk):
    order = expired(desk)
    desk.fact(**CAPTURED, order=order)
    desk.resolve(desk.row("cases").id, "revive", note="asked on the phone")
    assert desk.row("orders").lifecycle == "placed"
    assert stock(desk) == (10, 2)
    closed = desk.row("cases")
    assert (closed.state, closed.resolution, closed.resolved_by) == ("resolved", "revive", "ada")


# -- cancel ----------------------------------------------------------------------------------------
def test_cancelling_frees_the_stock_and_gives_the_money_back(desk):
    order = paid(desk)
    made = desk.do("cancel_order", order=order, reason="changed her mind")["order"]
    assert (made["lifecycle"], made["status"]) == ("cancelled", "cancelled")
    assert stock(desk) == (10, 0)
    assert [(r.amount, r.state) for r in desk.rows("refunds")] == [(2500, "requested")]
    desk.fact("refunded", ref="re_1", amount=2500, at=99, order=order, **EUR)
    assert desk.row("orders").payment_status == "refunded"
    assert desk.row("refunds").state == "succeeded"
    assert desk.rows("cases") == []


def test_cancelling_an_unpaid_order_cancels_its_payment(desk):
    order = desk.ordered()
    desk.do("cancel_order", order=order)
    assert len(desk.jobs("cancel_payment")) == 1
    assert desk.rows("refunds") == []


def test_a_payment_made_after_the_order_was_cancelled_is_given_up_at_once(desk):
    desk.product()
    made = desk.complete(desk.cart())
    desk.do("cancel_order", order=made["order"]["id"])
    assert desk.jobs("cancel_payment") == []  # it does not exist yet
    desk.do("attach_payment", payment=made["payment"]["id"], connector="stripe", ref="pi_1")
    assert len(desk.jobs("cancel_payment")) == 1


def test_what_is_over_is_not_cancelled_again(desk):
    order = paid(desk)
    desk.do("cancel_order", order=order)
    with pytest.raises(Refused) as refused:
        desk.do("cancel_order", order=order)
    assert refused.value.code == "invalid_transition"
    assert refused.value.extra["from"] == "cancelled"


def test_what_has_left_is_not_cancelled(desk):
    order = paid(desk)
    sent = desk.ship(order)
    with pytest.raises(Refused) as refused:
        desk.do("cancel_order", order=order)
    assert (refused.value.code, refused.value.extra["fulfilments"]) == ("not_cancellable", [sent])


def test_goods_that_are_lost_are_not_put_back(desk):
    order = paid(desk)
    desk.do("cancel_order", order=order, restock=False)
    assert stock(desk) == (8, 0)


# -- hold and release ------------------------------------------------------------------------------
def test_a_held_order_is_released_to_where_it_was(desk):
    order = paid(desk)
    held = desk.do("hold_order", order=order, reason="check the address")["order"]
    assert (held["lifecycle"], held["hold_reasons"]) == ("on_hold", ["staff"])
    with pytest.raises(Refused, match="held for staff"):
        desk.do("create_fulfilment", order=order)
    released = desk.do("release_order", order=order)["order"]
    assert (released["lifecycle"], released["hold_reasons"]) == ("placed", [])
    assert desk.events("shop.order.")[-2:] == ["order.held", "order.released"]
    assert desk.events().count("order.placed") == 1


def test_a_held_order_does_not_expire_and_still_records_money(desk):
    order = desk.ordered()
    desk.do("hold_order", order=order, reason="fraud?")
    desk.clock.advance(3600)
    assert desk.do("expire_order", order=order)["expired"] is False
    desk.fact(**CAPTURED, order=order)
    assert (desk.row("orders").lifecycle, desk.row("orders").captured) == ("on_hold", 2500)
    desk.do("release_order", order=order)
    assert desk.row("orders").lifecycle == "placed"
    assert desk.row("orders").paid_at is not None


# -- edit ------------------------------------------------------------------------------------------
def edit(desk, order, qty):
    line = desk.row("order_lines").id
    item = EditLines.model_validate({"order": order, "lines": [{"line": line, "qty": qty}]})
    return desk.change(lambda tx: edit_lines(tx, item, desk.shop.rules))["order"]


def test_fewer_goods_free_stock_and_give_the_difference_back(desk):
    order = paid(desk)
    made = edit(desk, order, 1)
    assert made["total"]["amount"] == 1250
    assert made["lifecycle"] == "placed"  # what is being given back holds nothing
    assert stock(desk) == (10, 1)
    assert [(r.amount, r.state) for r in desk.rows("refunds")] == [(1250, "requested")]
    desk.fact("refunded", ref="re_1", amount=1250, at=99, order=order, **EUR)
    assert desk.row("orders").payment_status == "paid"
    assert desk.rows("cases") == []


def test_more_goods_take_stock_or_nothing_changes(desk):
    order = paid(desk)
    assert edit(desk, order, 4)["payment_status"] == "partially_paid"
    assert stock(desk) == (10, 4)
    with pytest.raises(Refused, match="too few"):
        edit(desk, order, 11)
    assert stock(desk) == (10, 4)


def test_what_has_left_cannot_be_edited_away(desk):
    order = paid(desk)
    desk.ship(order)
    with pytest.raises(Refused) as refused:
        edit(desk, order, 1)
    assert refused.value.code == "qty_exceeds_open"


def test_an_open_payment_of_the_old_total_is_given_up(desk):
    order = desk.ordered()
    edit(desk, order, 1)
    assert len(desk.jobs("cancel_payment")) == 1
    paid_now = desk.request(order, connector="stripe")
    assert paid_now["amount"] == {"amount": 1250, "currency": "EUR"}


# -- close -----------------------------------------------------------------------------------------
def test_a_delivered_order_closes_when_nothing_can_come_back(desk):
    order = paid(desk)
    sent = desk.ship(order)
    desk.do("move_fulfilment", fulfilment=sent, step="deliver")
    desk.clock.advance(30 * 86400 - 1)
    assert desk.do("close_order", order=order)["closed"] is False
    desk.clock.advance(1)
    assert desk.do("close_order", order=order)["closed"] is True
    assert desk.row("orders").lifecycle == "closed"
    desk.fact("refunded", ref="re_1", amount=2500, at=99, order=order, **EUR)
    assert desk.row("orders").payment_status == "refunded"  # facts still arrive


def test_an_order_with_an_open_case_stays_open(desk):
    order = paid(desk)
    desk.do("move_fulfilment", fulfilment=desk.ship(order), step="deliver")
    desk.fact("dispute_opened", ref="dp_1", amount=2500, at=50, order=order, **EUR)
    desk.clock.advance(31 * 86400)
    assert desk.do("close_order", order=order)["closed"] is False
