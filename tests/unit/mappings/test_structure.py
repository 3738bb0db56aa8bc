"""The structure of a mapping: literals, objects, lists, the $ forms, let and omit."""

from decimal import Decimal

import pytest

from hub.errors import MappingError
from hub.tree import compose
from mappings import compile as compiler
from mappings.compile import OMIT

ORDER = {
    "id": "ord_1", "n": 7, "status": "paid", "guest": False, "null": None, "yes": True,
    "lines": [
        {"sku": "A", "qty": 1, "gift": False, "tags": ["x", "y"]},
        {"sku": "B", "qty": 2, "gift": True, "tags": []},
    ],
}  # fmt: skip

MADE = [
    # literals by the rules of the loader
    ("a: NO\nb: 00123\nc: 1.50\nd: ~\ne: true\nf: '1'\ng: []\nh: {}",
     {"a": "NO", "b": "00123", "c": Decimal("1.50"), "d": None, "e": True, "f": "1",
      "g": [], "h": {}}),
    ("a: [1, '{{ order.n }}', {b: '{{ order.id }}'}]", {"a": [1, 7, {"b": "ord_1"}]}),
    # omit drops the key or the item
    ("a: '{{ order.nope | default(omit) }}'\nb: 1", {"b": 1}),
    ("a: ['{{ order.nope | default(omit) }}', 1]", {"a": [1]}),
    ("a: '{{ omit if order.yes else 1 }}'", {}),
    ("a: '{{ order.nope | default(omit if order.yes else 1) }}'", {}),
    # $for
    ("a: {$for: line in order.lines, $value: '{{ line.sku }}'}", {"a": ["A", "B"]}),
    ("a: {$for: line in order.lines, $if: '{{ not line.gift }}', $value: '{{ line.sku }}'}",
     {"a": ["A"]}),
    ("a: {$for: line in order.lines, $index: i, $value: '{{ i }}:{{ line.sku }}'}",
     {"a": ["0:A", "1:B"]}),
    ("a: {$for: line in order.lines, $index: i, $if: '{{ i > 0 }}', $value: '{{ i }}'}",
     {"a": [1]}),
    ("a: {$for: 'x in [1, 2] ', $value: '{{ x * order.n }}'}", {"a": [7, 14]}),
    ("a:\n  $for: l in order.lines\n  $value: {$for: t in l.tags, $value: '{{ l.sku ~ t }}'}",
     {"a": [["Ax", "Ay"], []]}),
    ("a: {$for: l in order.lines, $value: '{{ l.sku if not l.gift else omit }}'}", {"a": ["A"]}),
    ("a: {$for: l in order.lines, $value: {$if: '{{ l.gift }}', $value: '{{ l.sku }}'}}",
     {"a": ["B"]}),
    # the same name in two loops that do not meet
    ("a: {$for: l in order.lines, $value: 1}\nb: {$for: l in order.lines, $value: 2}",
     {"a": [1, 1], "b": [2, 2]}),
    # $if
    ("a: {$if: '{{ order.guest }}', $value: 1, $else: 2}", {"a": 2}),
    ("a: {$if: '{{ order.guest }}', $value: 1}", {}),
    ("a: {$if: '{{ not order.guest }}', $value: '{{ order.nope | default(omit) }}'}", {}),
    ("a: {$if: '{{ order.guest }}', $value: '{{ order.nope }}', $else: {b: 1}}", {"a": {"b": 1}}),
    # $switch compares with the text of the value
    ("a: {$switch: '{{ order.status }}', paid: {b: 1}, open: 2}", {"a": {"b": 1}}),
    ("a: {$switch: '{{ order.n }}', 7: seven, $else: other}", {"a": "seven"}),
    ("a: {$switch: '{{ order.guest }}', true: 1, false: 2}", {"a": 2}),
    ("a: {$switch: '{{ order.id }}', x: 1, $else: {$if: '{{ order.guest }}', $value: 1}}", {}),
    ("a: {$switch: '{{ order.status }}', $$paid: 1, $else: 2}", {"a": 2}),
    # $concat
    ("a: {$concat: [[1], {$for: l in order.lines, $value: '{{ l.qty }}'}, '{{ [9] }}']}",
     {"a": [1, 1, 2, 9]}),
    # a literal key that begins with $
    ("$$insert_id: '{{ order.id }}'", {"$insert_id": "ord_1"}),
    ("$$for: x", {"$for": "x"}),
    ("a: |\n  Order {{ order.n }}\n", {"a": "Order 7"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), MADE)
def test_a_form_gives(made, body, wanted):
    assert made(body, ORDER) == wanted


LETS = [
    ("let: {a: '{{ order.n }}', b: '{{ a + 1 }}'}\nmap: '{{ b }}'", 8),
    ("let: {a: {$if: '{{ order.guest }}', $value: 1, $else: {x: 2}}}\nmap: '{{ a.x }}'", 2),
    ("let: {a: '{{ order.nope | default(omit) }}'}\nmap: '{{ a | default(5) }}'", 5),
    ("let: {a: '{{ order.nope | default(omit) }}'}\nmap: '{{ a is defined }}'", False),
    ("let: {a: 3}\nmap: {$for: l in order.lines, $value: '{{ l.qty * a }}'}", [3, 6]),
    # computed even where no branch uses it
    ("let: {a: '{{ order.n + 1 }}'}\nmap: '{{ 1 if order.yes else a }}'", 1),
]


@pytest.mark.parametrize(("body", "wanted"), LETS)
def test_let_names_a_value_once(made, body, wanted):
    assert made(body, ORDER) == wanted


WHOLE = [
    ("map: '{{ order.lines }}'", ORDER["lines"]),
    ("map: {$for: l in order.lines, $value: {s: '{{ l.sku }}'}}", [{"s": "A"}, {"s": "B"}]),
    ("map: {$if: '{{ order.guest }}', $value: {a: 1}}", OMIT),
    ("map: '{{ order.nope | default(omit) }}'", OMIT),
    ("map: 5", 5),
]


@pytest.mark.parametrize(("body", "wanted"), WHOLE)
def test_the_whole_result(made, body, wanted):
    found = made(body, ORDER)
    assert found is OMIT if wanted is OMIT else found == wanted


def test_a_result_is_new_where_the_mapping_wrote_it(made):
    assert made("a: {b: []}", ORDER)["a"] is not made("a: {b: []}", ORDER)["a"]


STOPS = [
    # body, code, line, column
    ("map: {a: {$for: l in order.n, $value: 1}}", "mapping.kind", 4, 28),
    ("map: {a: {$for: l in order.nope, $value: 1}}", "mapping.missing", 4, 28),
    ("map:\n  a:\n    $if: '{{ order.n }}'\n    $value: 1", "mapping.kind", 6, 20),
    ("map:\n  a:\n    $for: l in order.lines\n    $if: '{{ l.qty }}'\n    $value: 1",
     "mapping.kind", 7, 16),
    ("map:\n  a:\n    $switch: '{{ order.status }}'\n    open: 1", "mapping.kind", 6, 24),
    ("map:\n  a:\n    $switch: '{{ order.null }}'\n    $else: 1", "mapping.null", 6, 24),
    ("map:\n  a:\n    $for: l in order.lines\n    $value:\n      b: '{{ l.nope }}'",
     "mapping.missing", 8, 16),
    ("map:\n  a: |\n    one\n    two {{ order.nope }}\n", "mapping.missing", 7, 18),
    ("map:\n  a: >\n    one\n    two {{ order.nope }}\n", "mapping.missing", 5, 6),
    ("let: {a: '{{ order.nope | default(omit) }}'}\nmap: '{{ a }}'", "mapping.missing", 5, 10),
    ("map: {$concat: ['{{ order.n }}']}", "mapping.kind", 4, 6),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "line", "col"), STOPS)
def test_a_run_stops_at_its_place(mapped, body, code, line, col):
    mapping, _ = mapped(body)
    with pytest.raises(MappingError) as caught:
        mapping({"order": ORDER})
    error = caught.value
    assert (error.code, error.file, error.line, error.col) == (code, "m.yaml", line, col)


def test_an_omitted_let_says_so(mapped):
    mapping, _ = mapped("let: {a: '{{ order.nope | default(omit) }}'}\nmap: '{{ a }}'")
    with pytest.raises(MappingError, match="a was omitted"):
        mapping({"order": ORDER})


def test_an_event_without_the_data_says_so(mapped):
    mapping, _ = mapped("map: '{{ order.id }}'")
    with pytest.raises(MappingError, match="the event carries no 'order'"):
        mapping({"event": {}})


FAULTS = [
    # body, [(code, line, column)]
    ("map: {a: {$for: line, $value: 1}}", [("mapping.syntax", 4, 17)]),
    ("map: {a: {$for: [1], $value: 1}}", [("mapping.syntax", 4, 17)]),
    ("map: {a: {$for: line in ordr.lines, $value: 1}}", [("mapping.name", 4, 25)]),
    ("map: {a: {$for: line in, $value: 1}}", [("mapping.syntax", 4, 17)]),
    ("map: {a: {$for: l in order.a order.b, $value: 1}}", [("mapping.syntax", 4, 30)]),
    ("map: {a: {$for: order in order.lines, $value: 1}}", [("mapping.name", 4, 17)]),
    ("map: {a: {$for: omit in order.lines, $value: 1}}", [("mapping.name", 4, 17)]),
    ("map: {a: {$for: x in order.l, $index: x, $value: 1}}", [("mapping.name", 4, 39)]),
    ("map: {a: {$for: x in order.l, $index: '1', $value: 1}}", [("mapping.name", 4, 39)]),
    ("map: {a: {$for: x in order.l}}", [("key.missing", 4, 10)]),
    ("map: {a: {$for: x in order.l, $value: 1, $else: 2}}", [("key.unknown", 4, 42)]),
    ("map: {a: {$for: x in order.l, $value: 1, b: 2}}", [("key.unknown", 4, 42)]),
    ("map: {a: {$for: x in order.l, $value: 1}, b: '{{ x }}'}", [("mapping.name", 4, 50)]),
    ("map: {a: {$fr: x in order.l, $value: 1}}", [("key.unknown", 4, 11), ("key.unknown", 4, 30)]),
    ("map: {a: {$if: true, $value: 1}}", [("mapping.syntax", 4, 16)]),
    ("map: {a: {$if: 'x {{ order.n }}', $value: 1}}", [("mapping.syntax", 4, 16)]),
    ("map: {a: {$if: [1], $value: 1}}", [("mapping.syntax", 4, 16)]),
    ("map: {a: {$if: '{{ omit }}', $value: 1}}", [("mapping.node", 4, 20)]),
    ("map: {a: {$if: '{{ order.n }}'}}", [("key.missing", 4, 10)]),
    ("map: {a: {$switch: paid, paid: 1}}", [("mapping.syntax", 4, 20)]),
    ("map: {a: {$switch: '{{ order.n }}', $case: 1}}", [("key.unknown", 4, 37)]),
    ("map: {a: {$concat: 1}}", [("mapping.syntax", 4, 20)]),
    ("map: {'{{ order.n }}': 1}", [("mapping.node", 4, 7)]),
    ("let: {order: 1}\nmap: 1", [("mapping.name", 4, 7)]),
    ("let: {a: '{{ b }}', b: 1}\nmap: '{{ a }}'", [("mapping.name", 4, 14)]),
    ("let: {a-b: 1}\nmap: 1", [("mapping.name", 4, 7)]),
    ("let: [1]\nmap: 1", [("value.type", 4, 6)]),
    ("map: {a: '{{ ordr.n }}', b: ['{{ order.x | lwer }}'], c: '{{ 1 | }}'}",
     [("mapping.name", 4, 14), ("mapping.filter", 4, 44), ("mapping.syntax", 4, 66)]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "faults"), FAULTS)
def test_a_fault_has_its_place(mapped, body, faults):
    made, found = mapped(body)
    assert made is None
    assert [(f.code, f.line, f.col) for f in found if not f.warning] == faults
    assert all(f.file == "m.yaml" and f.source for f in found)


def test_an_unused_let_is_a_warning(mapped):
    made, [found] = mapped("let: {a: 1}\nmap: 2")
    assert made is not None
    assert (found.code, found.warning, found.text) == ("mapping.name", True, "'a' is never used")


HEADS = [
    ("mapping: M\nfrom: shop.order@1\nto: a.b\nmap: 1", ["value.type"]),
    ("mapping: 5\nfrom: shop.order@1\nto: a.b\nmap: 1", ["value.type"]),
    ("mapping: m\nfrom: [x]\nto: a.b\nmap: 1", ["value.type"]),
    ("mapping: m\nfrom: shop.order@1\nto: ab\nmap: 1", ["value.type"]),
    ("mapping: m\nmap: 1", ["key.missing", "key.missing"]),
    ("mapping: m\nfrom: shop.order@1\nto: a.b", ["key.missing"]),
    ("mapping: m\nfrom: shop.order@1\nto: a.b\nmap: 1\nmapp: 2", ["key.unknown"]),
    ("[1]", ["mapping.syntax"]),
]


@pytest.mark.parametrize(("text", "codes"), HEADS)
def test_the_head_of_a_mapping(text, codes):
    node, _ = compose(text, "m.yaml")
    made, faults = compiler.mapping(node, file="m.yaml")
    assert made is None
    assert [f.code for f in faults] == codes


def mapping_of(text):
    made, faults = compiler.mapping(compose(text, "m.yaml")[0], file="m.yaml")
    assert faults == []
    return made


HEAD = "mapping: m\nfrom: shop.order@1\nto: segment.track\n"


def test_a_mapping_says_what_it_is():
    made = mapping_of(HEAD + "map: 1\ntests: []")
    assert (made.name, made.from_schema, made.to) == ("m", "shop.order@1", "segment.track")
    assert made.roots == ("order",)
    assert made.tests is not None


def test_its_hash_is_of_what_it_does():
    first = mapping_of(HEAD + "map: {a: 1}").hash
    assert mapping_of(HEAD + "# said\nmap:\n  a: 1\ntests: [x]").hash == first
    assert mapping_of(HEAD + "map: {a: '1'}").hash != first
    assert mapping_of(HEAD.replace("track", "identify") + "map: {a: 1}").hash != first


ROOTS = [
    ("shop.order@1", {"order": 5}),
    ("loyalty.points_changed", {"points_changed": 5}),
    ("stripe.review.opened", {"data": 5}),
]


@pytest.mark.parametrize(("source", "scope"), ROOTS)
def test_the_data_has_the_name_its_schema_gives(source, scope):
    [name] = scope
    made = mapping_of(f"mapping: m\nfrom: {source}\nto: a.b\nmap: '{{{{ {name} }}}}'")
    assert made(scope) == 5
