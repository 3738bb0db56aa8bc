"""Orders of shops that keep their own backend: posted once, paid once, whatever webhooks say."""

from itertools import permutations

import pytest

from hub.errors import Refused

EUR = {"currency": "EUR"}

LINE = {"sku": "LAMP", "title": "Lamp", "qty": 2, "unit_price": {"amount": 1000, **EUR}}
ORDER = {
    "external_ref": "A-1",
    "currency": "EUR",
    "customer": {"email": " Bo@Example.com", "first_name": "Bo"},
    "lines": [LINE | {"tax": {"amount": 380, **EUR}}],
    "shipping": {"amount": 120, **EUR},
}
CAPTURED = {"fact": "captured", "payment": "pi_7", "ref": "ch_7", "amount": 2500, "at": 9, **EUR}
PENDING = {"fact": "pending", "payment": "pi_7", "ref": "pi_7", "at": 3}


def stated(ref, amount=2500, connector="stripe"):
    return {"connector": connector, "provider_ref": ref, "amount": {"amount": amount, **EUR}}


def post(desk, *payments, **more):
    return desk.do("create_order", **ORDER | {"payments": payments} | more)["order"]


def test_a_paid_order_is_placed_and_paid_at_once(desk):
    order = post(desk, stated("pi_7"))
    assert order["total"]["amount"] == 2500
    assert order["number"] == order["external_ref"] == "A-1"
    assert (order["status"], order["payment_status"]) == ("paid", "paid")
    assert order["payments"] == [
        {"connector": "stripe", "provider_ref": "pi_7", "amount": {"amount": 2500, **EUR}}
    ]
    assert "variant_id" not in order["lines"][0]
    assert desk.rows("jobs") == desk.rows("reservations") == []
    assert desk.events() == [
        "customer.created", "order.created", "payment.created", "payment.captured",
        "order.payment_status_changed", "order.placed", "order.paid",
    ]  # fmt: skip


POSTED = ["pi_7", "ch_7", "cs_7"]
WEBHOOKS = [CAPTURED, PENDING]
LINKED = {"fact": "linked", "payment": "cs_7", "ref": "cs_7", "counterpart": "pi_7", "at": 9}


@pytest.mark.parametrize("ref", POSTED)
@pytest.mark.parametrize("order_of", [*permutations(range(4))])
def test_what_the_shop_states_and_what_the_webhooks_say_is_one_payment(desk, ref, order_of):
    """Posted as intent, charge or session, before, between or after the webhooks."""
    steps = [
        lambda: post(desk, stated(ref)),
        lambda: desk.fact(**CAPTURED),
        lambda: desk.fact(**PENDING),
        lambda: desk.fact(**LINKED),
    ]
    for step in order_of:
        steps[step]()
    for fact in (CAPTURED, PENDING, LINKED):
        desk.fact(**fact)
    assert desk.state() == {
        "orders": [("placed", "paid", (), 0, 2500, 0, 0, True)],
        "payments": [("captured", 1, 0, 2500, 0, "pi_7")],
        "refunds": [],
        "cases": [],
    }
    for name in ("placed", "paid", "payment_status_changed"):
        assert len(desk.told(f"order.{name}")) == 1, name


def test_a_webhook_after_the_post_confirms_it_and_tells_nothing(desk):
    post(desk, stated("pi_7"))
    before = (desk.rows("orders"), desk.events())
    assert desk.fact(**CAPTURED)["new"]
    assert (desk.rows("orders"), desk.events()) == before
    facts = desk.rows("payment_facts", fact="captured")
    assert [(f.provider_ref, f.stated, f.amount) for f in facts] == [
        ("pi_7", 1, 2500), ("ch_7", 0, 2500),
    ]  # fmt: skip


def test_the_providers_word_is_believed_over_the_shops(desk):
    post(desk, stated("pi_7"))
    desk.fact(**CAPTURED | {"amount": 600})
    row = desk.row("orders")
    assert (row.captured, row.payment_status, row.lifecycle) == (600, "partially_paid", "on_hold")
    assert desk.row("cases").kind == "amount_mismatch"


def test_an_order_is_paid_when_its_payment_is_known_already(desk):
    desk.fact(**CAPTURED)
    assert desk.row("payments").order_id is None
    order = post(desk)
    assert order["payment_status"] == "none"
    desk.do("create_order", **ORDER | {"external_ref": "A-2", "payments": [stated("pi_7")]})
    row = desk.row("orders", external_ref="A-2")
    assert (row.payment_status, row.captured) == ("paid", 2500)
    assert len(desk.rows("payments")) == 1


def test_an_order_named_by_its_own_number_at_the_provider_finds_its_money(desk):
    desk.fact(**CAPTURED, order="A-1")
    assert desk.events()[-1] == "payment.unmatched"
    assert post(desk)["payment_status"] == "paid"
    assert desk.row("payments").claimed_order is None
    desk.fact("refunded", "pi_7", ref="re_7", amount=2500, at=99, order="A-1", **EUR)
    assert desk.row("orders").payment_status == "refunded"
    assert desk.rows("cases") == []


def test_an_order_posted_unpaid_is_paid_by_the_webhook_that_names_it(desk):
    order = post(desk)
    assert order["lifecycle"] == "pending_payment"
    desk.fact(**CAPTURED, order=order["id"])
    assert desk.row("orders").payment_status == "paid"


def test_stated_money_is_compared_like_any_other(desk):
    assert post(desk, stated("pi_1", 1000))["payment_status"] == "partially_paid"
    assert desk.row("orders").lifecycle == "pending_payment"
    over = post(desk, stated("pi_2"), stated("pi_3"), external_ref="A-2")
    assert (over["lifecycle"], over["payment_status"]) == ("on_hold", "overpaid")
    assert desk.row("cases").kind == "double_payment"
    assert "order.paid" not in desk.events()


def test_an_import_says_so_in_every_event_and_keeps_its_time(desk):
    order = post(desk, stated("pi_7"), origin="import", placed_at="2024-05-06T09:00:00+02:00")
    assert order["origin"] == "import"
    assert order["placed_at"] == order["paid_at"] == "2024-05-06T07:00:00Z"
    events = desk.rows("events")
    assert {row.origin for row in events} == {"import"}
    assert {row.occurred_at.year for row in events} == {2024}
    # what happens to it from now on is the present
    desk.fact("refunded", "pi_7", ref="re_7", amount=2500, at=99, **EUR)
    assert desk.told("order.refunded")[0].origin == "live"


def test_a_shop_may_accept_an_order_before_its_money(desk):
    order = post(desk, placed_at="2026-03-01T11:00:00Z")
    assert (order["lifecycle"], order["payment_status"]) == ("placed", "none")
    assert desk.events("shop.order.") == ["order.created", "order.placed"]
    desk.fact(**CAPTURED, order=order["id"])
    assert desk.events("shop.order.")[2:] == ["order.payment_status_changed", "order.paid"]


def test_an_external_ref_is_taken_once(desk):
    first = post(desk, stated("pi_7"))
    before = (desk.rows("events"), desk.rows("payments"), desk.rows("customers"))
    with pytest.raises(Refused) as refusal:
        post(desk, stated("pi_8"), customer={"email": "new@example.com"})
    assert refusal.value.code == "external_ref_exists"
    assert refusal.value.extra["order"] == first["id"]
    assert (desk.rows("events"), desk.rows("payments"), desk.rows("customers")) == before


def test_prices_with_their_tax_inside_add_up(desk):
    order = post(desk, prices_include_tax=True, total={"amount": 2120, **EUR})
    assert order["total"]["amount"] == 2120
    assert order["tax"]["amount"] == 380


BAD_ORDERS = [
    # what the lines come to is another sum
    ({"total": {"amount": 1, "currency": "EUR"}}, "validation_error", "/total"),
    # money of another currency than the order's
    ({"shipping": {"amount": 1, "currency": "USD"}}, "currency_mismatch", "/shipping/currency"),
    ({"payments": [stated("pi_1") | {"amount": {"amount": 1, "currency": "USD"}}]},
     "currency_mismatch", "/payments/0/amount/currency"),
    # a connector that is not configured
    ({"payments": [stated("x", connector="adyen")]}, "validation_error", "/payments/0/connector"),
    # a payment counted twice
    ({"payments": [stated("pi_1")] * 2}, "validation_error", "/payments/1/provider_ref"),
    # a discount that would pay the customer
    ({"lines": [LINE | {"discount": {"amount": 9999, "currency": "EUR"}}]},
     "validation_error", "/lines/0/discount"),
    ({"placed_at": "2026-03-02T00:00:00Z"}, "validation_error", "/placed_at"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "pointer"), BAD_ORDERS)
def test_a_bad_order_is_refused_by_its_field(desk, change, code, pointer):
    with pytest.raises(Refused) as refusal:
        desk.do("create_order", **ORDER | change)
    assert refusal.value.code == code
    assert refusal.value.extra["errors"][0]["pointer"] == pointer
    assert desk.rows("orders") == desk.rows("customers") == desk.rows("events") == []


def test_a_payment_is_not_taken_from_another_order(desk):
    post(desk, stated("pi_7"))
    with pytest.raises(Refused) as refusal:
        post(desk, stated("pi_7"), external_ref="A-2")
    assert refusal.value.extra["errors"][0]["pointer"] == "/payments/0/provider_ref"
    assert len(desk.rows("orders")) == 1


def test_a_known_sku_is_tied_to_its_variant_but_takes_no_stock(desk):
    made = desk.product("LAMP", on_hand=1)
    order = post(desk)
    assert order["lines"][0]["variant_id"] == made["variants"][0]["id"]
    assert desk.row("stock").reserved == 0
