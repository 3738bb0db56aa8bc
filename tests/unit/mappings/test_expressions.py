"""Expressions: typed results, missing fields as errors, exact places."""

from decimal import Decimal

import pytest

ORDER = {
    "id": "ord_1", "n": 7, "big": 10**25, "d": Decimal("1.10"), "yes": True, "no": False,
    "null": None, "items": 3, "keys": ["a"], "text": "abc", "empty": "", "zero": 0,
    "list": [{"x": 1}, {"x": 2}], "money": {"amount": 100, "currency": "EUR"},
    "größe": "XL", "a b": "spaced", "exp": Decimal("1E+3"), "deep": {"null": None},
}  # fmt: skip

VALUES = [
    # a lone expression keeps its type
    ("{{ order.n }}", 7),
    ("{{ order.id }}", "ord_1"),
    ("{{ order.d }}", Decimal("1.10")),
    ("{{ order.yes }}", True),
    ("{{ order.null }}", None),
    ("{{ order.money }}", {"amount": 100, "currency": "EUR"}),
    ("{{ order.big }}", 10**25),
    # a Decimal leaves without an exponent
    ("{{ order.exp }}", Decimal(1000)),
    ("{{ [order.exp] }}", [Decimal(1000)]),
    # constants
    ("{{ 1 }}", 1),
    ("{{ 1.10 }}", Decimal("1.10")),
    ("{{ 1_000 }}", 1000),
    ("{{ 0.1234567890123456789 }}", Decimal("0.1234567890123456789")),
    ("{{ 'a' }}", "a"),
    ("{{ 'a' 'b' }}", "ab"),
    ("{{ '\\\\n\\\\u00e4\\\\'' }}".replace("\\\\", "\\"), "\nä'"),
    ("{{ true }}", True),
    ("{{ none }}", None),
    ("{{ null }}", None),
    ("{{ [] }}", []),
    ("{{ [1, [2]] }}", [1, [2]]),
    ("{{ {'a': order.n} }}", {"a": 7}),
    ("{{ '{{' }}", "{{"),
    # access: data only, whatever Python calls its methods
    ("{{ order.items }}", 3),
    ("{{ order.keys }}", ["a"]),
    ("{{ order['n'] }}", 7),
    ("{{ order['a b'] }}", "spaced"),
    ("{{ order.größe }}", "XL"),
    ("{{ order.list[0].x }}", 1),
    ("{{ order.list[-1].x }}", 2),
    ("{{ order.list.1.x }}", 2),
    ("{{ order[order.keys[0] ~ ' b'] }}", "spaced"),
    # numbers
    ("{{ 1 + 2 * 3 - 4 }}", 3),
    ("{{ 1 + 0.5 }}", Decimal("1.5")),
    ("{{ 0.1 + 0.2 }}", Decimal("0.3")),
    ("{{ 1 / 3 }}", Decimal("0." + "3" * 34)),
    ("{{ 4 / 2 }}", Decimal(2)),
    ("{{ 7 // 2 }}", 3),
    ("{{ -7 // 2 }}", -4),
    ("{{ 7 % 3 }}", 1),
    ("{{ -order.n }}", -7),
    ("{{ order.big * 1000 }}", 10**28),
    # text
    ("{{ 'a' ~ 1 ~ true ~ 1.50 }}", "a1true1.50"),
    # truth gives the operand, as in Jinja
    ("{{ order.empty or 'x' }}", "x"),
    ("{{ order.zero or order.text }}", "abc"),
    ("{{ order.text and order.n }}", 7),
    ("{{ order.no and order.nothing }}", False),
    ("{{ order.yes or order.nothing }}", True),
    ("{{ not order.empty }}", True),
    # comparing
    ("{{ 1 == 1.0 }}", True),
    ("{{ true == 1 }}", False),
    ("{{ 'a' != 1 }}", True),
    ("{{ order.money == {'currency': 'EUR', 'amount': 100.0} }}", True),
    ("{{ [true] == [1] }}", False),
    ("{{ 1 < 2 < 3 }}", True),
    ("{{ 1 < 2 > 3 }}", False),
    ("{{ 3 < 2 < order.nothing }}", False),
    ("{{ 1 < 1.5 <= 1.5 }}", True),
    ("{{ 'a' < 'b' }}", True),
    ("{{ 1 in [1.0] }}", True),
    ("{{ true in [1] }}", False),
    ("{{ 'b' in order.text }}", True),
    ("{{ 'n' in order }}", True),
    ("{{ 'x' not in order }}", True),
    # if
    ("{{ 'a' if order.yes else order.nothing }}", "a"),
    ("{{ 1 if '' else 2 if false else 3 }}", 3),
    # the table of missing, null, value
    ("{{ order.text | default(1) }}", "abc"),
    ("{{ order.null | default(1) }}", None),
    ("{{ order.nothing | default(1) }}", 1),
    ("{{ order.nothing.more.still | default(1) }}", 1),
    ("{{ order.null.more | default(1) }}", 1),
    ("{{ order.text.more | default(1) }}", 1),
    ("{{ order.list[9].x | default(1) }}", 1),
    ("{{ order.null | default(1, true) }}", 1),
    ("{{ order.null | default(1, null=true) }}", 1),
    ("{{ order.zero | default(1, true) }}", 0),
    ("{{ order.empty | default(1, true) }}", ""),
    ("{{ order.no | default(1, true) }}", False),
    ("{{ order.nothing | default(order.nor | default(2)) }}", 2),
    ("{{ order.nothing | upper | default('x') }}", "x"),
    ("{{ order.text is defined }}", True),
    ("{{ order.null is defined }}", True),
    ("{{ order.nothing is defined }}", False),
    ("{{ order.nothing.more is not defined }}", True),
    ("{{ order.null is none }}", True),
    ("{{ order.text is none }}", False),
    # text around expressions
    ("#{{ order.n }}: {{ order.d }} {{ order.yes }}{{ order.exp }}", "#7: 1.10 true1000"),
    (" {{ order.n }}", " 7"),
    ("a{{ '}}' }}b", "a}}b"),
    ("no braces }} here", "no braces }} here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), VALUES)
def test_an_expression_gives(value, text, wanted):
    found = value(text, ORDER)
    assert found == wanted
    assert type(found) is type(wanted)
    assert str(found) == str(wanted)


STOPS = [
    # text, code, column of the character that is at fault (the text begins at 1)
    ("{{ order.nothing }}", "mapping.missing", 10),
    ("{{ order.deep.nothing.more }}", "mapping.missing", 15),
    ("{{ order['nothing'] }}", "mapping.missing", 9),
    ("{{ order.list[2] }}", "mapping.missing", 14),
    ("{{ order.null.more }}", "mapping.null", 15),
    ("{{ order.text.upper }}", "mapping.kind", 15),
    ("{{ order.text.__class__ }}", "mapping.kind", 15),
    ("{{ order.__class__ }}", "mapping.missing", 10),
    ("{{ order.list['x'] }}", "mapping.kind", 14),
    ("{{ order[0] }}", "mapping.kind", 9),
    ("{{ order.list[true] }}", "mapping.kind", 14),
    ("{{ order.list[[]] }}", "mapping.kind", 14),
    ("{{ order.nothing is none }}", "mapping.missing", 10),
    ("{{ order.null | upper }}", "mapping.null", 17),
    ("{{ order.n | upper }}", "mapping.kind", 14),
    ("{{ order.text + 1 }}", "mapping.kind", 4),
    ("{{ 1 + order.yes }}", "mapping.kind", 4),
    ("{{ order.null + 1 }}", "mapping.null", 4),
    ("{{ 'x' * 1000000000 }}", "mapping.kind", 4),
    ("{{ -order.text }}", "mapping.kind", 4),
    ("{{ 1 / 0 }}", "mapping.number", 4),
    ("{{ 1 // 0 }}", "mapping.number", 4),
    ("{{ 1 % 0 }}", "mapping.number", 4),
    ("{{ 1.5 // 1 }}", "mapping.kind", 4),
    ("{{ order.big * order.big }}", "mapping.number", 4),
    ("{{ 1 < 'a' }}", "mapping.kind", 4),
    ("{{ true < 2 }}", "mapping.kind", 4),
    ("{{ 1 < order.null }}", "mapping.kind", 4),
    ("{{ 1 in 5 }}", "mapping.kind", 4),
    ("{{ 1 in 'a1' }}", "mapping.kind", 4),
    ("{{ order.null ~ 'a' }}", "mapping.null", 10),
    ("{{ order.list ~ 'a' }}", "mapping.text", 10),
    ("a {{ order.null }}", "mapping.null", 12),
    ("a {{ order.money }}", "mapping.text", 12),
    ("a {{ order.nothing | default(none) }}", "mapping.null", 22),
    # `default` and `is defined` are about what is missing, not about what is wrong
    ("{{ (order.text + 1) | default(1) }}", "mapping.kind", 5),
    ("{{ order.n | upper | default(1) }}", "mapping.kind", 14),
    ("{{ (1 / 0) | default(1) }}", "mapping.number", 5),
    ("{{ (order.n | upper) is defined }}", "mapping.kind", 15),
    ("{{ order.nothing | required('a phone is needed') }}", "mapping.missing", 20),
    ("{{ order.null | required('a phone is needed') }}", "mapping.missing", 17),
]


@pytest.mark.parametrize(("text", "code", "col"), STOPS)
def test_a_run_stops_at_the_character(stops, text, code, col):
    assert stops(text, ORDER)[:2] == (code, col)


MESSAGES = [
    ("{{ order.customer.phone }}", {"customer": {"email": "a@b.c", "id": 1}},
     "order.customer has no field 'phone' (has: email, id)"),
    ("{{ order.x }}", {}, "order has no field 'x' (it is empty)"),
    ("{{ order.x }}", {f"f{i:02}": 1 for i in range(14)}, "f11, and 2 more)"),
    ("{{ order.x.y }}", {"x": None}, "order.x is null, so it has no field 'y'"),
    ("{{ order.x[3] }}", {"x": ["secret"]}, "order.x has no item 3 (length 1)"),
    ("{{ order['a'].b }}", {"a": 1}, "order['a'] is int, it has no field 'b'"),
    ("{{ order.x | lower }}", {"x": 5}, "order.x wants string, found int"),
    ("{{ order.x | trim | lower | int }}", {"x": "secret"}, "order.x | trim | lower wants a text"),
    ("{{ order.x + 1 }}", {"x": "secret"}, "'+' wants number, found string"),
    ("{{ order.x | required('write a phone') }}", {}, "write a phone"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "order", "message"), MESSAGES)
def test_a_message_names_fields_and_kinds_never_values(stops, text, order, message):
    found = stops(text, order)[2]
    assert message in found
    assert "secret" not in found
    assert "a@b.c" not in found


def test_a_name_the_data_brought_is_shortened(stops):
    assert len(stops("{{ order.x }}", {"k" * 5000: 1})[2]) < 300


GIVES = [
    ("{{ order.yes }}", "bool", True),
    ("{{ order.n > 1 }}", "bool", True),
    ("{{ order.id }}", "text", "ord_1"),
    ("{{ order.n }}", "text", 7),
    ("receipt:{{ order.id }}", "text", "receipt:ord_1"),
]


@pytest.mark.parametrize(("text", "gives", "wanted"), GIVES)
def test_what_is_asked_for_is_given(value, text, gives, wanted):
    assert value(text, ORDER, gives) == wanted


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("{{ order.n }}", "bool"),
        ("{{ order.null }}", "bool"),
        ("{{ order.text }}", "bool"),
        ("{{ order.yes }}", "text"),
        ("{{ order.d }}", "text"),
        ("{{ order.list }}", "text"),
    ],
)
def test_anything_else_stops(stops, text, gives):
    assert stops(text, ORDER, gives)[0] == "mapping.kind"


def test_only_names_that_are_used_must_be_in_scope(value, stops):
    assert value("{{ event.id }}") == "evt_1"
    assert stops("{{ order.id }}")[0] == "mapping.null"
