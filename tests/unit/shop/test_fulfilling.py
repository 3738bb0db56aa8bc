"""Fulfilments and what comes back: stock, statuses and events follow the goods."""

import pytest

from hub.errors import Refused

EUR = {"currency": "EUR"}


@pytest.fixture
def order(desk):
    """Two mugs, paid."""
    order = desk.ordered()
    desk.fact("captured", ref="ch_1", amount=2500, at=30, order=order, **EUR)
    return order


def line(desk):
    return desk.row("order_lines").id


def step(desk, ident, name, **more):
    return desk.do("move_fulfilment", fulfilment=ident, step=name, **more)["fulfilment"]


def test_goods_leave_the_stock_when_they_are_shipped(desk, order):
    made = desk.do("create_fulfilment", order=order, carrier="parcelo")["fulfilment"]
    assert made["lines"][0]["qty"] == 2
    step(desk, made["id"], "pack")
    row = desk.row("stock")
    assert (row.on_hand, row.reserved) == (10, 2)
    told = step(desk, made["id"], "ship", tracking="P-1")
    row = desk.row("stock")
    assert (row.on_hand, row.reserved) == (8, 0)
    assert (told["carrier"], told["tracking"]) == ("parcelo", "P-1")
    assert told["customer"]["email"] == "ada@example.com"  # a shipping mail needs no look-up
    assert desk.row("orders").fulfilment_status == "fulfilled"
    step(desk, made["id"], "deliver")
    assert desk.events("shop.fulfilment.") == [
        "fulfilment.created", "fulfilment.packed", "fulfilment.shipped", "fulfilment.delivered",
    ]  # fmt: skip


def test_an_order_may_leave_in_parts(desk, order):
    first = desk.ship(order, lines=[{"line": line(desk), "qty": 1}])
    assert desk.row("orders").fulfilment_status == "partially_fulfilled"
    assert sorted((r.state, r.qty) for r in desk.rows("reservations")) == [
        ("committed", 1), ("consumed", 1),
    ]  # fmt: skip
    second = desk.ship(order)
    assert first != second
    assert desk.row("orders").fulfilment_status == "fulfilled"
    with pytest.raises(Refused) as refused:
        desk.do("create_fulfilment", order=order)
    assert refused.value.code == "qty_exceeds_open"


def test_no_more_is_planned_than_is_open(desk, order):
    desk.do("create_fulfilment", order=order, lines=[{"line": line(desk), "qty": 2}])
    with pytest.raises(Refused) as refused:
        desk.do("create_fulfilment", order=order, lines=[{"line": line(desk), "qty": 1}])
    assert refused.value.extra["items"] == [{"line": line(desk), "open": 0}]


@pytest.mark.parametrize(
    ("before", "wrong"),
    [([], "deliver"), (["ship"], "pack"), (["ship"], "cancel"), (["cancel"], "ship"),
     (["ship", "return"], "return"), ([], "return")],
)  # fmt: skip
def test_a_step_out_of_turn_changes_nothing(desk, order, before, wrong):
    made = desk.do("create_fulfilment", order=order)["fulfilment"]["id"]
    for name in before:
        step(desk, made, name)
    was = desk.row("stock")
    with pytest.raises(Refused) as refused:
        step(desk, made, wrong)
    assert refused.value.code == "invalid_transition"
    assert desk.row("stock") == was


def test_what_comes_back_lies_on_hand_again_where_it_is_said(desk, order):
    sent = desk.ship(order)
    step(desk, sent, "return", lines=[{"line": line(desk), "qty": 1}])
    assert desk.row("stock").on_hand == 8
    assert desk.row("orders").fulfilment_status == "partially_returned"
    told = step(desk, sent, "return", restock=True)
    assert (told["state"], desk.row("stock").on_hand) == ("returned", 9)
    assert desk.row("orders").fulfilment_status == "returned"
    assert [m.reason for m in desk.rows("stock_movements")][-1] == "returned"


def test_a_refund_by_line_comes_to_the_lines_total_however_it_is_cut(desk):
    desk.product(amount=333, on_hand=3)
    made = desk.complete(desk.cart(("MUG", 3)))
    order, payment = made["order"]["id"], made["payment"]["id"]
    desk.do("attach_payment", payment=payment, connector="stripe", ref="pi_1")
    desk.fact("captured", ref="ch_1", amount=999, at=30, order=order, **EUR)
    desk.ship(order)
    wish = {"payment": payment, "restock": True}
    first = desk.do("request_refund", **wish, lines=[{"line": line(desk), "qty": 1}])
    rest = desk.do("request_refund", **wish, lines=[{"line": line(desk), "qty": 2}])
    assert [first["refund"]["amount"]["amount"], rest["refund"]["amount"]["amount"]] == [333, 666]
    assert desk.row("stock").on_hand == 3
    with pytest.raises(Refused) as refused:
        desk.do("request_refund", **wish, lines=[{"line": line(desk), "qty": 1}])
    assert refused.value.code == "qty_exceeds_open"


def test_a_restocked_refund_of_goods_that_never_left_is_refused(desk, order):
    wish = {"payment": desk.row("payments").id, "restock": True}
    with pytest.raises(Refused) as refused:
        desk.do("request_refund", **wish, lines=[{"line": line(desk), "qty": 1}])
    assert refused.value.code == "qty_exceeds_open"
    assert desk.rows("refunds") == []
