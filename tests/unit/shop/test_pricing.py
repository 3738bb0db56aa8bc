"""What carts come to: taxes, discounts and shipping add up to the last unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Refused
from hub.shop.backend import Shop
from hub.shop.carts import CartAddresses, CartCodes, CartShipping, set_addresses, set_codes
from hub.shop.carts import set_shipping as choose
from hub.shop.pricing import Item, Off, Taxes, price, share, split
from hub.shop.promotions import NewPromotion, create_promotion
from hub.shop.rules import ShippingWay
from tests.unit.shop.conftest import RULES

GERMANY = {"standard": 1900, "reduced": 700}
amounts = st.integers(0, 10**9)
classes = st.sampled_from(["standard", "reduced", "exempt", "unknown"])
items = st.lists(st.builds(Item, amount=amounts, tax_class=classes), max_size=8)
offs = st.lists(
    st.builds(
        Off, code=st.sampled_from("ABC"), kind=st.sampled_from(["percent", "amount"]),
        value=st.integers(1, 10_000),
    ),
    max_size=3, unique_by=lambda off: off.code,
)  # fmt: skip


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
def test_a_split_adds_up_and_nobody_gets_more_than_one_unit_too_much(total, weights):
    parts = split(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        exact = [total * weight / whole for weight in weights]
        assert all(abs(p - e) <= 1 + e * 1e-9 for p, e in zip(parts, exact, strict=True))


@given(items, offs, st.booleans(), st.none() | amounts)
def test_lines_add_up_to_the_total(lines, promotions, included, shipping):
    taxes = Taxes(rates=GERMANY, included=included)
    sent = None if shipping is None else Item(amount=shipping, tax_class="standard")
    made = price(lines, sent, promotions, taxes)
    assert made.total == sum(
        line.base + (0 if included else line.tax)
        for line in [*made.lines, *([made.shipping] if made.shipping else [])]
    )
    assert all(0 <= line.discount <= line.amount for line in made.lines)
    assert made.discount == sum(made.taken.values())
    for rate in GERMANY.values():
        things = [*made.lines, *([made.shipping] if made.shipping else [])]
        taxed = [n for n in things if n.rate == rate]
        whole = share(sum(n.base for n in taxed), rate, included=included)
        assert sum(n.tax for n in taxed) == whole


@pytest.mark.parametrize(
    ("rates", "tax_class", "treatment"),
    [(GERMANY, "standard", "taxed"), (GERMANY, "exempt", "exempt"), (None, "standard", "exempt"),
     (GERMANY, "luxury", "not_computed")],
)  # fmt: skip
def test_no_tax_says_why(rates, tax_class, treatment):
    made = price([Item(amount=100, tax_class=tax_class)], None, [], Taxes(rates=rates))
    assert made.lines[0].treatment == treatment


# -- in the shop -----------------------------------------------------------------------------------
@pytest.fixture
def shop(desk):
    """A German shop whose prices hold their tax, and which ships parcels."""
    parcel = ShippingWay(
        code="parcel", title="Parcel", countries=("DE", "AT"), prices={"EUR": 490},
        free_from={"EUR": 5000},
    )  # fmt: skip
    told = {f: getattr(RULES, f) for f in RULES.__slots__}
    told |= {"taxes": {"DE": GERMANY}, "prices_include_tax": True, "home": "DE"}
    desk.shop = Shop(type(RULES)(**told | {"shipping": {"parcel": parcel}}))
    desk.product()
    return desk


def put(shop, cart, do, item):
    return shop.change(lambda tx: do(tx, cart["id"], item, shop.shop.rules))["cart"]


def promotion(shop, code="TEN", kind="percent", value=1000, **more):
    item = NewPromotion(code=code, kind=kind, value=value, **more)
    return shop.change(lambda tx: create_promotion(tx, item, shop.shop.rules))["promotion"]


def totals(cart):
    return {name: money["amount"] for name, money in cart["totals"].items()}


def test_an_order_keeps_what_its_cart_came_to(shop):
    promotion(shop)
    cart = put(shop, shop.cart(), set_codes, CartCodes(codes=("ten",)))
    cart = put(shop, cart, choose, CartShipping(code="parcel"))
    assert totals(cart) == {
        "items": 2500, "discount": 250, "shipping": 490, "tax": 437, "total": 2740,
    }  # fmt: skip
    order = shop.complete(cart)["order"]
    assert order["coupon"] == {"code": "TEN"}
    row = shop.row("orders")
    assert (row.total, row.discount, row.tax, row.shipping) == (2740, 250, 437, 490)
    assert [(t.treatment, t.rate, t.amount) for t in shop.rows("tax_lines")] == [
        ("taxed", 1900, 359), ("taxed", 1900, 78),
    ]  # fmt: skip
    assert [(a.kind, a.code, a.amount) for a in shop.rows("order_adjustments")] == [
        ("discount", "TEN", -250), ("shipping", "parcel", 490),
    ]  # fmt: skip


def test_goods_for_abroad_are_exempt_which_is_not_unknown(shop):
    cart = put(shop, shop.cart(), set_addresses, CartAddresses(shipping_address={"country": "CH"}))
    shop.complete(cart)
    assert [t.treatment for t in shop.rows("tax_lines")] == ["exempt"]


def test_shipping_that_does_not_go_there_is_taken_off(shop):
    cart = put(shop, shop.cart(), choose, CartShipping(code="parcel"))
    cart = put(shop, cart, set_addresses, CartAddresses(shipping_address={"country": "CH"}))
    assert totals(cart)["shipping"] == 0
    with pytest.raises(Refused, match="none"):
        put(shop, cart, choose, CartShipping(code="parcel"))


def test_a_dear_cart_is_shipped_for_nothing(shop):
    cart = put(shop, shop.cart(("MUG", 4)), choose, CartShipping(code="parcel"))
    assert totals(cart)["shipping"] == 0


def test_the_last_use_of_a_code_is_used_once_and_comes_back_with_its_order(shop):
    promotion(shop, max_uses=1)
    carts = [
        put(shop, shop.cart(email=f"{n}@example.com"), set_codes, CartCodes(codes=("TEN",)))
        for n in range(2)
    ]
    first = shop.complete(carts[0])["order"]["id"]
    assert shop.row("promotions").used == 1
    with pytest.raises(Refused) as refused:
        shop.complete(carts[1])
    assert refused.value.code == "cart_changed"  # the code takes nothing off any more
    shop.do("cancel_order", order=first)
    assert shop.row("promotions").used == 0
    shop.complete(carts[1])
    assert shop.row("promotions").used == 1


def test_a_customer_has_their_share_of_a_code(shop):
    promotion(shop, max_per_customer=1)
    for code in (None, "code_invalid"):
        cart = put(shop, shop.cart(), set_codes, CartCodes(codes=("TEN",)))
        if code is None:
            shop.complete(cart)
            continue
        with pytest.raises(Refused) as refused:
            shop.complete(cart)
        assert refused.value.code == code


@pytest.mark.parametrize(
    "more",
    [{"currency": "USD"}, {"currency": "EUR", "min_total": 2501},
     {"ends_at": "2026-01-01T00:00:00Z"}, {"starts_at": "2027-01-01T00:00:00Z"}],
)  # fmt: skip
def test_a_code_that_does_not_fit_is_refused_with_its_place(shop, more):
    promotion(shop, **more)
    with pytest.raises(Refused) as refused:
        put(shop, shop.cart(), set_codes, CartCodes(codes=("TEN",)))
    assert refused.value.code == "code_invalid"
    assert refused.value.extra["errors"][0]["pointer"] == "/codes/0"
