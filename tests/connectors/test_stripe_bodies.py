"""What we ask of Stripe fits the vendor's own types, with unknown fields forbidden."""

import copy
import json
from pathlib import Path

import pytest
import stripe

import connectors.stripe
from connectors.stripe import bodies, money, sdk
from hub import Capture, Pay, PayLine, Refund, Reject, Sum
from tests.connectors.stripe_schemas import faults, typed

FIXTURES = Path(connectors.stripe.__file__).parent / "fixtures" / "out"
EUR = Sum(amount=1099, currency="EUR")
INTENTS, SESSIONS, REFUNDS = "/v1/payment_intents", "/v1/checkout/sessions", "/v1/refunds"


def calls():
    """Every call of every fixture; the contract suite proves that they are the bytes sent."""
    for path in sorted(FIXTURES.rglob("*.json")):
        for n, call in enumerate(json.loads(path.read_text())["calls"]):
            yield pytest.param(call, id=f"{path.parent.name}/{path.stem}-{n}")


@pytest.mark.parametrize("call", [*calls()])
def test_what_goes_on_the_wire_fits_the_sdk_types(call):
    operation = f"{call['method']} {call['path']}"
    form = call.get("form") if call["method"] == "POST" else call.get("params", {})
    assert form is not None
    assert faults(operation, typed(operation, form)) == []


@pytest.mark.parametrize(
    "name", ["planted", "payment_intent_data[planted]", "line_items[0][planted]"]
)
def test_a_field_planted_on_the_wire_is_found(name):
    [path] = FIXTURES.glob("create_checkout/ok.json")
    [call] = json.loads(path.read_text())["calls"]
    assert faults(f"POST {SESSIONS}", typed(f"POST {SESSIONS}", call["form"] | {name: "x"}))


def pay(**more):
    return Pay(order="ord_1", payment="pay_1", amount=EUR, return_url="https://a.example/", **more)


def refund(**more):
    return Refund(order="ord_1", refund="rfd_1", ref="pi_1", amount=EUR, **more)


LINES = (PayLine(title="Ü‹✓›", qty=1, unit_price=EUR),)
GOOD = [
    # operation, body
    (f"POST {INTENTS}", bodies.intent(pay(), "job_1", receipts=True)),
    (f"POST {INTENTS}", bodies.intent(pay(email="a@b.example"), "job_1", receipts=True)),
    (f"POST {INTENTS}", bodies.intent(pay(capture="manual"), "job_1", receipts=False)),
    (f"POST {SESSIONS}", bodies.session(pay(), "job_1")),
    (f"POST {SESSIONS}", bodies.session(pay(lines=LINES, email="a@b.example"), "job_1")),
    (f"POST {SESSIONS}", bodies.session(pay(capture="manual", lines=LINES * 3), "job_1")),
    (f"POST {INTENTS}/pi_1/capture", bodies.capture(Capture(order="o", ref="pi_1"), "job_1")),
    (f"POST {INTENTS}/pi_1/capture", bodies.capture(Capture(order="o", ref="p", amount=EUR), "j")),
    *[
        (f"POST {INTENTS}/pi_1/cancel", bodies.cancel(Capture(order="o", ref="p", reason=reason)))
        for reason in [None, "", "of our own", *bodies.CANCEL_REASONS]
    ],
    *[
        (f"POST {REFUNDS}", bodies.refund(refund(reason=reason), ref, "job_1"))
        for reason in [None, "of our own", *bodies.REFUND_REASONS]
        for ref in ("pi_1", "ch_1")
    ],
    (f"GET {REFUNDS}", bodies.about("pi_1") | {"limit": 100, "starting_after": "re_1"}),
]


@pytest.mark.parametrize(("operation", "body"), GOOD)
def test_every_body_fits_the_sdk_types(operation, body):
    assert faults(operation, body) == []


def test_metadata_stays_within_what_stripe_takes():
    for _, body in GOOD:
        for name, value in body.get("metadata", {}).items():
            assert len(name) <= 40
            assert isinstance(value, str)
            assert 0 < len(value) <= 500


def objects(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    for inner in value if isinstance(value, list) else ():
        yield from objects(inner)


@pytest.mark.parametrize(("operation", "body"), [pair for pair in GOOD if pair[1]])
def test_a_planted_unknown_field_is_found_wherever_it_is_put(operation, body):
    inner = [one for one in objects(body) if not set(one) <= {"hub_job", "hub_order", "hub_capture",
             "hub_order_version", "hub_payment", "hub_refund"}]  # fmt: skip  # metadata is free
    for n, _ in enumerate(inner):
        changed = copy.deepcopy(body)
        spots = [
            one for one in objects(changed) if "hub_job" not in one and "hub_capture" not in one
        ]
        spots[n]["planted_field"] = "x"
        assert faults(operation, changed), spots[n]


WRONG = [
    # operation, field, value: a wrong type, a wrong word, a typo of ours
    (f"POST {INTENTS}", "amount", "1099"),
    (f"POST {INTENTS}", "amount", True),
    (f"POST {INTENTS}", "amount", 10.99),
    (f"POST {INTENTS}", "capture_method", "later"),
    (f"POST {INTENTS}", "automatic_payment_methods", {"enable": True}),
    (f"POST {INTENTS}", "automatic_payment_methods", {}),
    (f"POST {INTENTS}", "metadata", {"hub_order_version": 1}),
    (f"POST {SESSIONS}", "mode", "pay"),
    (f"POST {SESSIONS}", "line_items", {"quantity": 1}),
    (f"POST {SESSIONS}", "payment_intent_data", {"receipt": "x"}),
    (f"POST {REFUNDS}", "reason", "of our own"),
    (f"POST {REFUNDS}", "refund", "rfd_1"),
]


@pytest.mark.parametrize(("operation", "field", "value"), WRONG)
def test_the_schemas_bite(operation, field, value):
    good = next(body for what, body in GOOD if what == operation)
    assert faults(operation, good) == []
    assert faults(operation, good | {field: value})


def test_the_sdk_still_speaks_the_version_we_pin():
    assert stripe.api_version == sdk.API_VERSION


def test_no_key_of_a_create_is_missing():
    good = next(body for what, body in GOOD if what == f"POST {INTENTS}")
    for name in ("amount", "currency"):
        assert faults(f"POST {INTENTS}", {k: v for k, v in good.items() if k != name})


# -- a session charges the order's amount, whatever its lines say ---------------------------------
TOTALS = [
    # lines (qty, unit price, currency), what the page shows
    ([], [("Order ord_1", 1, 1099)]),
    ([(1, 1099, "EUR")], [("Tea", 1, 1099)]),
    ([(7, 157, "EUR")], [("Tea", 7, 157)]),
    ([(1, 1000, "EUR")], [("Order ord_1", 1, 1099)]),  # shipping is no line
    ([(1, 1200, "EUR")], [("Order ord_1", 1, 1099)]),  # a discount is no line
    ([(1, 1099, "USD")], [("Order ord_1", 1, 1099)]),
    ([(1, 1000, "EUR"), (1, 99, "USD")], [("Order ord_1", 1, 1099)]),
]


@pytest.mark.parametrize(("lines", "shown"), TOTALS)
def test_a_session_always_totals_the_amount(lines, shown):
    made = tuple(
        PayLine(title="Tea", qty=qty, unit_price=Sum(amount=price, currency=currency))
        for qty, price, currency in lines
    )
    items = bodies.session(pay(lines=made), "job_1")["line_items"]
    seen = [(i["price_data"]["product_data"]["name"], i["quantity"], i["price_data"]["unit_amount"])
            for i in items]  # fmt: skip
    assert seen == shown
    assert sum(qty * price for _, qty, price in seen) == 1099
    assert {i["price_data"]["currency"] for i in items} == {"eur"}


# -- money ---------------------------------------------------------------------------------------
SUMS = [
    # ours, as Stripe counts
    (Sum(amount=1099, currency="EUR"), 1099),
    (Sum(amount=0, currency="EUR"), 0),
    (Sum(amount=500, currency="JPY"), 500),
    (Sum(amount=500, currency="KRW"), 500),
    (Sum(amount=1230, currency="KWD"), 1230),
    (Sum(amount=500, currency="ISK"), 50000),
    (Sum(amount=50000, currency="MGA"), 500),
]


@pytest.mark.parametrize(("ours", "theirs"), SUMS)
def test_money_goes_out_and_comes_back_the_same(ours, theirs):
    assert money.to_stripe(ours) == theirs
    assert money.from_stripe(theirs, ours.currency.lower()) == ours.amount


@pytest.mark.parametrize(
    ("amount", "currency"), [(1234, "KWD"), (7, "TND"), (550, "MGA"), (5, "UGX")]
)
def test_money_that_stripe_cannot_take_exactly_is_refused(amount, currency):
    with pytest.raises(Reject):
        money.to_stripe(Sum(amount=amount, currency=currency))


@pytest.mark.parametrize(("amount", "currency"), [(50001, "isk"), (500, "ugx")])
def test_money_that_cannot_be_read_exactly_has_no_sum(amount, currency):
    assert money.from_stripe(amount, currency) is None
