"""What the shop tells: names, schemas, and the fields mappings rely on."""

import pytest

from hub.shop.order_shapes import Order
from hub.shop.vocabulary import SCHEMAS, SHOP_EVENTS

ORDER_FIELDS = {
    "id", "number", "version", "status", "lifecycle", "payment_status", "fulfilment_status", "test",
    "created_at", "placed_at", "paid_at", "currency", "total", "items_total", "discount",
    "shipping", "tax", "captured", "refunded", "coupon", "customer", "billing_address",
    "shipping_address", "lines", "payments", "external_ref", "metadata",
}  # fmt: skip


def test_every_event_has_a_schema():
    assert set(SHOP_EVENTS.values()) == set(SCHEMAS)
    for name, schema in SHOP_EVENTS.items():
        kind = "variant" if name.startswith("shop.stock.") else name.split(".")[1]
        assert kind == schema.split("@")[0].split(".")[1]


def test_an_order_has_the_fields_that_mappings_use():
    assert set(Order.model_fields) == ORDER_FIELDS


@pytest.mark.parametrize("model", SCHEMAS.values(), ids=SCHEMAS)
def test_what_may_be_unknown_is_absent_never_null(model):
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    for part in parts:
        assert part.get("additionalProperties") is False
        for name, field in part["properties"].items():
            assert field.get("type") != "null", name
            assert {"type": "null"} not in field.get("anyOf", []), name


ADDRESS = {"name": "Bo", "street": "1 Road", "zip": "123", "city": "Ystad", "country": "SE"}


def test_an_address_is_kept_as_it_was_written(desk):
    made = desk.do(
        "create_order",
        external_ref="A-1",
        currency="EUR",
        customer={"email": "bo@example.com", "locale": "sv"},
        lines=[
            {"sku": "X", "title": "X", "qty": 1, "unit_price": {"amount": 0, "currency": "EUR"}}
        ],
        shipping_address=ADDRESS,
        metadata={"gift_note": "Grattis", "rate": 1.5},
    )["order"]
    assert made["shipping_address"] == ADDRESS
    assert "billing_address" not in made
    (created,) = desk.told("order.created")
    assert created.data["order"]["shipping_address"] == ADDRESS
    assert created.data["order"]["metadata"]["gift_note"] == "Grattis"
    assert created.data["order"]["customer"]["locale"] == "sv"
    assert "first_name" not in created.data["order"]["customer"]
