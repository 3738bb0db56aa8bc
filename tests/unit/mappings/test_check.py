"""The static check: what a mapping reads must exist in its source, what it sets in its target."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from hub.nodes import Scalar
from hub.tree import compose
from mappings import check as checks
from mappings import compile as compiler


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Money(Strict):
    amount: int
    currency: str


class Line(Strict):
    sku: str
    price: Money
    tags: list[str] = []


class Customer(BaseModel):  # pydantic ignores extras here; the schema still knows its fields
    email: str
    first_name: str | None = None


class Order(Strict):
    id: str
    total: Money
    customer: Customer
    lines: list[Line]
    coupon: Money | None = None
    metadata: dict[str, str] = {}
    either: Money | Line | None = None


class Item(Strict):
    sku: str
    price: str | None = None


class Target(Strict):
    user_id: str = Field(alias="userId")
    name: str | None = None
    items: list[Item] = []
    who: Customer | None = None
    properties: dict[str, str] = {}


SOURCE, TARGET = Order.model_json_schema(), Target.model_json_schema()


def faults(body, source=SOURCE, target=TARGET):
    node, bad = compose(f"mapping: m\nfrom: shop.order@1\nto: x.y\n{body}", "m.yaml")
    assert bad == []
    made, bad = compiler.mapping(node, file="m.yaml")
    assert [str(f) for f in bad] == []
    return checks.check(made, source, target)


NAMES = ("mapping.field", "mapping.required", "mapping.target")  # those of kinds: test_kinds.py


def places(body, **schemas):
    return [(f.code, f.line, f.col) for f in faults(body, **schemas) if f.code in NAMES]


READS = [
    # an expression, and the part of it that is not in the source
    ("order.id", None),
    ("order.idd", "idd"),
    ("order.customer.emial", "emial"),
    ("order['idd']", "['idd']"),
    ("order.total.amount", None),
    ("order.total.sum", "sum"),
    ("order.lines[0].sku", None),
    ("order.lines[0].skuu", "skuu"),
    ("order.lines.0.skuu", "skuu"),
    ("(order.lines | first).skuu", "skuu"),
    ("(order.lines | where('sku', 'x') | last).prise", "prise"),
    ("order.lines | map('skuu')", "'skuu'"),
    ("order.lines | map('price') | map('cents')", "'cents'"),
    ("order.lines | sum('prise')", "'prise'"),
    ("order.coupon.code", "code"),
    ("order.coupon.code | default('x')", "code"),
    ("order.coupon.code is defined", "code"),
    ("order.metadata.anything", None),
    ("order.either.whatever", None),
    ("order.id.x", None),
    ("'a' if order.idd else order.id", "idd"),
    ("1 < order.idd", "idd"),
    ("[order.idd]", "idd"),
    ("order.id ~ order.idd", "idd"),
    ("event.occurred_at", None),
    ("event.ocurred_at", "ocurred_at"),
    ("event.data.order.anything", None),
    ("order[order.id].x", None),
]


@pytest.mark.parametrize(("text", "part"), READS)
def test_an_unknown_source_field_is_found(text, part):
    before = 'map: {userId: "{{ '
    col = len(before) + text.rindex(part) + 1 if part else 0
    wanted = [("mapping.field", 4, col)] if part else []
    assert places(f'{before}{text} }}}}"}}') == wanted


def test_a_text_a_loop_and_a_let_are_read_too():
    assert places(
        "let: {l: '{{ order.lines }}'}\n"
        "map:\n"
        "  userId: 'x {{ order.idd }}'\n"
        "  items:\n"
        "    $for: line in l\n"
        "    $if: '{{ line.gift }}'\n"
        "    $value:\n"
        "      sku: '{{ line.skuu }}'\n"
        "      price: {$switch: '{{ line.sk }}', a: '{{ line.p }}'}\n"
    ) == [
        ("mapping.field", 6, 23),
        ("mapping.field", 9, 19),
        ("mapping.field", 11, 21),
        ("mapping.field", 12, 33),
        ("mapping.field", 12, 53),
    ]


def test_a_fault_says_what_was_meant():
    [found] = faults("map: {userId: '{{ order.custmer.email }}'}")
    assert found.text == "'order' (shop.order@1) has no field 'custmer'"
    assert found.fix == "did you mean 'customer'?"
    [found] = faults("map: {userId: '{{ order.customer.mail }}'}")
    assert found.text == "'order.customer' has no field 'mail'"
    found = faults("map: {userId: '{{ order.lines | map(\"cents\") }}'}")[-1]
    assert found.text == "an item has no field 'cents'"


def test_without_a_source_schema_nothing_is_said_of_it():
    assert places("map: {userId: '{{ order.idd }}'}", source=None) == []


TARGETS = [
    # body, faults
    ("map: {name: a}", [("mapping.required", 4, 6)]),
    ("map: {userId: '{{ order.id | default(omit) }}'}", [("mapping.required", 4, 15)]),
    ("map: {userId: {$if: '{{ true }}', $value: a}}", [("mapping.required", 4, 15)]),
    ("map: {userId: {$if: '{{ true }}', $value: a, $else: b}}", []),
    ("map: {userId: {$switch: '{{ 1 }}', 1: a}}", []),
    ("map: {userId: a, nme: b}", [("mapping.target", 4, 18)]),
    ("map: {user_id: a}", [("mapping.required", 4, 6), ("mapping.target", 4, 7)]),
    ("map: {userId: a, properties: {any: b}}", []),
    ("map: {userId: a, items: [{sku: a}, {prise: b}]}",
     [("mapping.required", 4, 36), ("mapping.target", 4, 37)]),
    ("map: {userId: a, items: {$for: x in order.lines, $value: {price: b}}}",
     [("mapping.required", 4, 58)]),
    ("map: {userId: a, items: {$concat: [[{price: b}], {$for: x in order.lines, $value: {}}]}}",
     [("mapping.required", 4, 37), ("mapping.required", 4, 83)]),
    ("map: {userId: a, who: {emial: a}}", [("mapping.required", 4, 23), ("mapping.target", 4, 24)]),
    # every branch
    ("map: {$if: '{{ true }}', $value: {name: a}, $else: {userId: a, x: 1}}",
     [("mapping.required", 4, 34), ("mapping.target", 4, 64)]),
    ("map: {$switch: '{{ 1 }}', 1: {name: a}, $else: {userId: a}}",
     [("mapping.required", 4, 30)]),
    # a root list gives one item of the target each
    ("map: {$for: x in order.lines, $value: {name: a}}", [("mapping.required", 4, 39)]),
    ("map: [{userId: a}, {name: b}]", [("mapping.required", 4, 20)]),
    ("map: {$concat: [[{name: a}], {$for: x in order.lines, $value: {userId: a}}]}",
     [("mapping.required", 4, 18)]),
    # what is not written out cannot be looked into
    ("map: '{{ order }}'", []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), TARGETS)
def test_the_target_is_compared(body, wanted):
    assert places(body) == wanted


def test_a_target_fault_says_what_is_needed():
    found = {f.code: f for f in faults("map: {nam: a}")}
    assert found["mapping.required"].text == "x.y needs 'userId'; this mapping never sets it"
    assert found["mapping.required"].fix == "userId: …"
    assert found["mapping.target"].text == "x.y has no field 'nam'"
    assert found["mapping.target"].fix == "did you mean 'name'?"
    [found] = faults("map: {userId: '{{ omit if order.id else 1 }}'}")
    assert found.text == "x.y needs 'userId'; this mapping may leave it out"
    [found] = faults("map: {userId: a, who: {email: a, x: b}}")
    assert found.text == "x.y has no field 'who.x'"


def test_without_a_target_schema_nothing_is_said_of_it():
    assert places("map: {nme: b}", target=None) == []


def test_a_schema_that_turns_in_circles_is_not_known():
    circle = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    }
    assert places("map: {userId: '{{ order.x.y }}'}", source=circle, target=circle) == []
    outside = {"$ref": "https://example.com/schema.json"}
    assert places("map: {userId: '{{ order.x.y }}'}", source=outside, target=outside) == []


def test_a_lone_expression_is_checked():
    scalar = Scalar(value="{{ order.idd }}", text="{{ order.idd }}")
    made, _ = compiler.expression(scalar, file="config.yaml", names=("order", "event"))
    [found] = checks.expression(made, SOURCE, file="config.yaml", root="order")
    assert (found.code, found.file, found.fix) == (
        "mapping.field", "config.yaml", "did you mean 'id'?"
    )  # fmt: skip
    assert checks.expression(made, None, file="config.yaml", root="order") == []
