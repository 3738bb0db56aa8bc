"""From the catalogue through a cart to an order, its stock and its payment."""

import pytest

from hub.errors import Refused


def test_a_cart_becomes_an_order_with_its_stock_its_payment_and_its_job(desk):
    desk.product()
    cart = desk.cart(("MUG", 2))
    assert cart["totals"]["total"] == {"amount": 2500, "currency": "EUR"}
    made = desk.complete(cart)
    assert made["created"]
    order = made["order"]
    assert order["lifecycle"] == order["status"] == "pending_payment"
    assert order["payment_status"] == "none"
    assert order["total"] == {"amount": 2500, "currency": "EUR"}
    assert order["customer"]["email"] == "ada@example.com"
    assert order["number"] == "1001"
    assert order["lines"][0]["unit_price"]["amount"] == 1250
    assert desk.row("stock").reserved == 2
    assert desk.row("reservations").state == "held"
    job, pay = desk.jobs("create_payment")[0]
    payment = desk.row("payments")
    assert (job.connector, job.key, job.effect) == ("stripe", f"pay:{payment.id}", "keyed")
    assert payment.job == job.uid
    assert pay["order"] == order["id"]
    assert pay["amount"] == {"amount": 2500, "currency": "EUR"}
    assert pay["email"] == "ada@example.com"
    assert desk.events() == [
        "product.created", "cart.created", "customer.created", "order.created", "payment.created",
    ]  # fmt: skip


def test_a_checkout_page_gets_the_lines_and_the_way_back(desk):
    desk.product()
    back = "https://shop.example/thanks"
    desk.complete(desk.cart(), connector="stripe", method="checkout", return_url=back)
    (_, pay), *none = desk.jobs("create_checkout")
    assert not none
    assert pay["return_url"] == back
    assert pay["lines"] == [
        {"title": "Mug", "qty": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}
    ]


def test_completing_again_gives_the_same_order_and_changes_nothing(desk):
    desk.product()
    cart = desk.cart()
    first = desk.complete(cart)
    again = desk.do(
        "complete_cart", cart=cart["id"], expected_total={"amount": 1, "currency": "USD"}
    )
    assert not again["created"]
    assert again["order"] == first["order"]
    assert again["payment"] == first["payment"]
    assert len(desk.rows("orders")) == len(desk.rows("jobs")) == 1


def test_nobody_sells_more_than_there_is(desk):
    desk.product(on_hand=5)
    carts = [desk.cart(("MUG", 1), email=f"c{n}@example.com") for n in range(8)]
    refused = []
    for cart in carts:
        try:
            desk.complete(cart)
        except Refused as refusal:
            refused.append(refusal)
    assert len(desk.rows("orders")) == 5
    assert [r.code for r in refused] == ["out_of_stock"] * 3
    assert refused[0].extra["items"][0]["available"] == 0
    assert desk.row("stock").reserved == 5


def test_all_lines_are_taken_or_none(desk):
    desk.product("CUP", on_hand=10)
    desk.product("MUG", on_hand=1)
    cart = desk.cart(("CUP", 3), ("MUG", 2))
    with pytest.raises(Refused) as refusal:
        desk.complete(cart)
    assert [i["sku"] for i in refusal.value.extra["items"]] == ["MUG"]
    assert {row.reserved for row in desk.rows("stock")} == {0}
    for name in ("orders", "order_lines", "reservations", "payments", "jobs", "customers"):
        assert desk.rows(name) == [], name
    assert desk.row("carts").state == "open"


def test_what_may_be_sold_without_stock_is_sold(desk):
    desk.product("BOOK", on_hand=0, track_inventory=False)
    desk.product("MUG", on_hand=1, backorder_limit=2)
    desk.complete(desk.cart(("BOOK", 9), ("MUG", 3)))
    assert desk.row("stock").reserved == 3


def test_an_order_over_nothing_is_placed_at_once_and_paid(desk):
    desk.product("FREE", amount=0)
    made = desk.complete(desk.cart(("FREE", 1)))
    assert made["payment"] is None
    assert made["order"]["lifecycle"] == "placed"
    assert made["order"]["payment_status"] == made["order"]["status"] == "paid"
    assert desk.row("reservations").state == "committed"
    assert desk.rows("jobs") == []
    assert desk.events("shop.order.") == [
        "order.created", "order.payment_status_changed", "order.placed", "order.paid",
    ]  # fmt: skip


def test_a_cart_without_a_payment_waits_for_one(desk):
    desk.product()
    cart = desk.cart()
    made = desk.do("complete_cart", cart=cart["id"], expected_total=cart["totals"]["total"])
    assert made["payment"] is None
    assert made["order"]["lifecycle"] == "pending_payment"
    assert made["order"]["expires_at"] == "2026-03-01T12:30:00Z"


def test_a_price_that_moved_is_shown_before_it_is_charged(desk):
    desk.product()
    cart = desk.cart()
    wrong = {"amount": 2400, "currency": "EUR"}
    with pytest.raises(Refused) as refusal:
        desk.do("complete_cart", cart=cart["id"], expected_total=wrong)
    assert refusal.value.code == "cart_changed"
    assert refusal.value.extra["current_total"] == {"amount": 2500, "currency": "EUR"}


def test_customers_are_known_by_their_address(desk):
    desk.product()
    desk.complete(desk.cart(email="Ada@Example.com", first_name="Ada"))
    desk.complete(desk.cart(email="  ADA@example.COM", first_name="Eve"))
    customer = desk.row("customers")
    assert (customer.email, customer.first_name) == ("ada@example.com", "Ada")
    assert {o.customer_id for o in desk.rows("orders")} == {customer.id}
    # the order keeps its own copy of what was said
    assert [o.first_name for o in desk.rows("orders")] == ["Ada", "Eve"]
    named = desk.do("create_cart", currency="EUR", customer=customer.id,
                    lines=[{"variant": "MUG", "qty": 1}])["cart"]  # fmt: skip
    assert named["email"] == "ada@example.com"
    assert desk.complete(named)["order"]["customer"]["guest"] is False


BAD_CARTS = [
    # what is wrong, with what code, at which field
    ({"lines": [{"variant": "NONE", "qty": 1}]}, "validation_error", "/lines/0/variant"),
    ({"lines": [{"variant": "DRAFT", "qty": 1}]}, "validation_error", "/lines/0/variant"),
    ({"currency": "USD"}, "currency_mismatch", "/lines/0/variant"),
    ({"currency": "GBP"}, "currency_mismatch", "/currency"),
    ({"customer": "cus_none"}, "validation_error", "/customer"),
]


@pytest.mark.parametrize(("change", "code", "pointer"), BAD_CARTS)
def test_a_bad_cart_is_refused_by_its_field(desk, change, code, pointer):
    desk.product()
    desk.do("create_product", title="Draft", status="draft",
            variants=[{"sku": "DRAFT", "prices": [{"amount": 1, "currency": "EUR"}]}])  # fmt: skip
    good = {"currency": "EUR", "email": "a@b.example", "lines": [{"variant": "MUG", "qty": 1}]}
    with pytest.raises(Refused) as refusal:
        desk.do("create_cart", **good | change)
    assert refusal.value.code == code
    assert refusal.value.extra["errors"][0]["pointer"] == pointer
    assert desk.rows("carts") == []


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [{"variant": "MUG", "qty": 0}]},
        {"lines": [{"variant": "MUG", "qty": -1}]},
        {"lines": [{"variant": "MUG", "qty": 10**9}]},
        {"lines": [{"variant": "MUG", "qty": 1, "price": 1}]},
        {"email": "nobody"},
        {"currency": "eur"},
        {"colour": "red"},
    ],
)
def test_absurd_or_unknown_fields_never_reach_the_shop(desk, change):
    good = {"currency": "EUR", "email": "a@b.example", "lines": [{"variant": "MUG", "qty": 1}]}
    with pytest.raises(ValueError, match="validation error"):
        desk.do("create_cart", **good | change)


BAD_COMPLETIONS = [
    # nobody by this name takes money here
    ({"connector": "adyen"}, "/payment/connector"),
    # the provider's page would not know where to go back to
    ({"connector": "stripe", "method": "checkout"}, "/payment/return_url"),
]


@pytest.mark.parametrize(("payment", "pointer"), BAD_COMPLETIONS)
def test_a_payment_nobody_can_make_is_refused_by_its_field(desk, payment, pointer):
    desk.product()
    with pytest.raises(Refused) as refusal:
        desk.complete(desk.cart(), **payment)
    assert refusal.value.code == "validation_error"
    assert refusal.value.extra["errors"][0]["pointer"] == pointer
    assert desk.rows("orders") == []


def test_a_cart_needs_lines_and_an_address(desk):
    desk.product()
    for cart in (
        desk.cart(email=None),
        desk.do("create_cart", currency="EUR", email="a@b.example")["cart"],
    ):
        with pytest.raises(Refused) as refusal:
            desk.complete(cart)
        assert refusal.value.code == "validation_error"
    with pytest.raises(Refused) as refusal:
        desk.do("complete_cart", cart="car_no", expected_total={"amount": 1, "currency": "EUR"})
    assert refusal.value.code == "not_found"


def test_a_sku_is_given_once(desk):
    desk.product("MUG")
    with pytest.raises(Refused) as refusal:
        desk.product("MUG")
    assert refusal.value.code == "sku_taken"
    assert len(desk.rows("products")) == len(desk.rows("variants")) == 1


def test_a_product_shows_its_prices_and_stock(desk):
    made = desk.product(on_hand=7)
    (variant,) = made["variants"]
    assert (variant["on_hand"], variant["available"]) == (7, 7)
    assert variant["prices"] == [{"amount": 1250, "currency": "EUR"}]
    assert desk.row("stock_movements").delta_on_hand == 7
