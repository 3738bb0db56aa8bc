"""The static check of kinds: wrong types, dead cases, what may be absent, constant conditions."""

# ruff: noqa: E501 -- a table of cases
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from hub.nodes import Scalar
from hub.tree import compose
from mappings import check as checks
from mappings import compile as compiler


class Money(BaseModel):
    amount: int
    currency: str


class Line(BaseModel):
    sku: str
    qty: int
    note: str = ""
    gift: bool


class Customer(BaseModel):
    email: str
    phone: str = ""
    nick: str | None = Field(default=None, json_schema_extra={"x-personal": True})
    city: str = Field(json_schema_extra={"x-personal": False})
    extra: dict[str, Any] = Field(json_schema_extra={"x-personal": True})


class Coupon(BaseModel):
    code: str


class Order(BaseModel):
    id: str
    status: Literal["paid", "refunded"]
    test: bool
    rate: float
    total: Money
    customer: Customer
    coupon: Coupon = Coupon(code="")
    lines: list[Line]
    metadata: dict[str, Any]


class Item(BaseModel):
    sku: str = ""
    quantity: int = 0


class Target(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"x-personal": False})
    text: str = ""
    short: str = Field(default="", max_length=5)
    code: str = Field(default="", pattern="^[a-z]+$")
    whole: int = 0
    number: float = 0
    yes: bool = False
    stage: Literal["won", "paid"] = "won"
    items: list[Item] = []
    one: Item = Item()
    free: dict[str, Any] = {}
    person: str = Field(default="", json_schema_extra={"x-personal": True})


SOURCE, TARGET = Order.model_json_schema(), Target.model_json_schema()
GOOD = [
    "text: '{{ order.customer.city }}'",
    "person: '{{ order.customer.extra.pet }}'",
    "text: '{{ order.id }}'",
    "text: 'n {{ order.total.amount }} {{ order.test }}'",
    "text: '{{ order.total | money }}'",
    "text: '{{ order.coupon.code | default(omit) }}'",
    "text: '{{ order.coupon.code if order.coupon is defined else order.id }}'",
    "text: {$if: '{{ order.coupon is defined }}', $value: '{{ order.coupon.code }}'}",
    "text: '{{ order.metadata.whatever }}'",
    "text: \"{{ 'a' if order.status == 'paid' else 'b' }}\"",
    "whole: '{{ order.lines | length }}'",
    "whole: '{{ order.total.amount + 1 }}'",
    "number: '{{ order.total | major }}'",
    "number: '{{ order.total.amount }}'",
    "number: '{{ order.rate * 2 }}'",
    "yes: '{{ not order.test }}'",
    "yes: '{{ order.total.amount > 5 and order.test }}'",
    "stage: {$switch: '{{ order.status }}', paid: won, refunded: paid}",
    "stage: {$switch: '{{ order.status }}', paid: won, $else: paid}",
    "items: {$for: l in order.lines, $if: '{{ l.gift }}', $value: {quantity: '{{ l.qty }}'}}",
    "items: {$concat: [[{sku: a}], {$for: l in order.lines, $value: {sku: '{{ l.sku }}'}}]}",
    "items: '{{ order.lines }}'",
    'text: \'{{ order.lines | map("sku") | join(", ") }}\'',
    "text: '{{ (order.lines | first).sku }}'",
    "free: {a: [1, {b: '{{ order.lines }}'}]}",
    "person: '{{ order.customer.email }}'",
    "text: '{{ order.customer.email | sha256 }}'",
    "short: '{{ order.id | truncate(5) }}'",
]
BAD = [
    # body below `map:`, code, column, message
    ("text: '{{ order.total.amount }}'", "type", 8, "'text' wants string, {{ order.total.amount }}"),
    ("whole: '{{ order.id }}'", "type", 9, "'whole' wants integer, {{ order.id }} is string"),
    ("whole: '{{ order.total | major }}'", "type", 9, "'whole' wants integer"),
    ("yes: '{{ order.id }}'", "type", 7, "'yes' wants boolean"),
    ("number: '{{ order.total | money }}'", "type", 10, "'number' wants number"),
    ("items: '{{ order.total }}'", "type", 9, "'items' wants array"),
    ("items: {sku: a}", "type", 8, "'items' wants array, this is object"),
    ("one: [a]", "type", 6, "'one' wants object, this is array"),
    ("text: [a]", "type", 7, "'text' wants string, this is array"),
    ("items: [{quantity: '{{ order.id }}'}]", "type", 21, "'items[].quantity' wants integer"),
    ("items: {$for: l in order.lines, $value: {quantity: '{{ l.sku }}'}}", "type", 53,
     "'items[].quantity' wants integer, {{ l.sku }} is string"),
    ("items: {$for: l in order.id, $value: {sku: a}}", "type", 15, "$for wants a list, this is string"),
    ("text: 5", "type", 7, "'text' wants string, this is integer"),
    ("whole: five", "type", 8, "'whole' wants integer, this is string"),
    ("short: too long", "type", 8, "'short' takes at most 5 characters, this has 8"),
    ("code: UP", "type", 7, "'code' wants text like ^[a-z]+$"),
    ("text: '{{ order.total | lower }}'", "type", 11, "'lower' wants string, order.total is object"),
    ("text: '{{ order.id | money }}'", "type", 11, "'money' wants object, order.id is string"),
    ("text: '{{ order.id | join }}'", "type", 11, "'join' wants array, order.id is string"),
    ("whole: '{{ order.id * 2 }}'", "type", 12, "'*' wants number, order.id is string"),
    ("text: 'a {{ order.lines }}'", "type", 13, "text wants"),
    ("text: '{{ order.id ~ order.total }}'", "type", 22, "'~' wants"),
    ("text: {$if: '{{ order.id }}', $value: a}", "type", 13, "a condition wants true or false"),
    ("stage: lost", "enum", 8, "'stage' is never 'lost': it takes won, paid"),
    ("stage: '{{ order.status }}'", "enum", 9, "'stage' is never 'refunded'"),
    ("text: \"{{ 1 if order.status == 'payed' else 2 }}\"", "enum", 32, "order.status is never 'payed'"),
    ("stage: {$switch: '{{ order.status }}', paid: won}", "switch", 8,
     "'refunded' has no case and there is no $else"),
    ("text: {$switch: '{{ order.status }}', paid: a, payed: b, $else: c}", "switch", 47,
     "'payed' never comes"),
    ("text: '{{ order.coupon.code }}'", "optional", 9, "order.coupon may be absent"),
    ("text: '{{ order.customer.phone | trim }}'", "optional", 11, "order.customer.phone may be"),
    ("text: 'a {{ order.customer.phone }}'", "optional", 13, "order.customer.phone may be absent"),
    ("items: {$for: l in order.lines, $value: {sku: '{{ l.note }}'}}", "optional", 48, "l.note may"),
    ("text: {$if: '{{ true }}', $value: a}", "constant", 13, "this is always the same"),
    ("text: '{{ order.customer.email }}'", "personal", 9, "order.customer.email is personal data"),
    ("text: 'to {{ order.customer.email | lower }}'", "personal", 7, "order.customer.email is"),
    ("text: '{{ order.customer.nick | default(omit) }}'", "personal", 9, "order.customer.nick is"),
    ("text: '{{ order.customer.extra.pet }}'", "personal", 9, "order.customer.extra.pet is"),
    ("free: {a: '{{ order.customer.email }}'}", "personal", 11, "order.customer.email is personal"),
]  # fmt: skip
WARNINGS = {"mapping.optional", "mapping.constant", "mapping.personal"}


def faults(body, source=SOURCE, target=TARGET):
    node, bad = compose(f"mapping: m\nfrom: shop.order@1\nto: x.y\nmap:\n  {body}", "m.yaml")
    assert bad == []
    made, bad = compiler.mapping(node, file="m.yaml")
    assert [str(f) for f in bad] == []
    return checks.check(made, source, target)


@pytest.mark.parametrize("body", GOOD)
def test_what_fits_has_no_fault(body):
    assert [str(found) for found in faults(body)] == []


@pytest.mark.parametrize(("body", "code", "col", "text"), BAD, ids=[row[0] for row in BAD])
def test_what_does_not_fit_is_told_with_its_place(body, code, col, text):
    found = [f for f in faults(body) if f.code == f"mapping.{code}"]
    assert found, [str(f) for f in faults(body)]
    assert text in found[0].text
    assert found[0].line == 5
    assert found[0].warning == (found[0].code in WARNINGS)


@pytest.mark.parametrize(
    "body", [row[0] for row in BAD if row[1] not in ("constant", "type", "enum")]
)
def test_without_schemas_nothing_is_said(body):
    assert faults(body, source=None, target=None) == []


def test_a_let_and_its_kind_are_seen_through():
    body = "map: {whole: '{{ who }}', text: '{{ how }}'}"
    text = "mapping: m\nfrom: shop.order@1\nto: x.y\n"
    text += "let: {who: '{{ order.id }}', how: {$if: '{{ order.test }}', $value: a, $else: b}}\n"
    node, _ = compose(text + body, "m.yaml")
    made, _ = compiler.mapping(node, file="m.yaml")
    assert [(f.code, f.line) for f in checks.check(made, SOURCE, TARGET)] == [("mapping.type", 5)]


def test_a_condition_of_a_route_must_be_one():
    for text, codes in (
        ("{{ order.test }}", []),
        ("{{ order.id }}", ["mapping.type"]),
        ("{{ order.status == 'payed' }}", ["mapping.enum"]),
        ("{{ order.coupon.code == 'X' }}", ["mapping.optional"]),
        ("{{ 1 == 1 }}", ["mapping.constant"]),
    ):
        made, _ = compiler.expression(
            Scalar(value=text, text=text), file="c.yaml", names=("order", "event"), gives="bool"
        )
        found = checks.expression(made, SOURCE, file="c.yaml", root="order")
        assert [f.code for f in found] == codes, text
