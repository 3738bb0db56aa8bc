"""Jinja's own evaluation as judge, wherever our language means the same.

Left out, since we differ on purpose: arithmetic on anything but whole numbers, `default(x, true)`
on 0, false and "", truth as 0 or 1, comparing unlike kinds, Python's methods as fields.
The quick program of every expression is held against the careful one as well.
"""

import os
from dataclasses import replace

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import UndefinedError

from hub.errors import MappingError
from hub.nodes import Scalar
from mappings import compile as compiler


class Missing(jinja2.StrictUndefined):
    """Strict, but what lies below a missing field is missing too, as with us."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key):
        return self


JINJA = jinja2.Environment(undefined=Missing)
EXAMPLES = int(os.environ.get("HUB_JINJA_EXAMPLES", "300"))
NAMES = ("a", "b", "c", "d")

paths = st.builds(
    lambda steps: "order" + "".join(steps),
    st.lists(
        st.sampled_from([f".{n}" for n in NAMES] + ["['a']", "[0]", "[-1]", "[1]"]),
        min_size=1, max_size=3,
    ),
)  # fmt: skip
whole = st.integers(-50, 50).map(lambda n: f"({n})")
words = st.sampled_from(["'x'", "'y z'", "''", "'é'"])
SIGNS = st.sampled_from(["+", "-", "*", "//", "%"])
WORDS = st.sampled_from(["and", "or"])
FILTERS = """
    lower upper trim length first last abs replace('x','q') join('-') sort
    default('d') default(order.a) default('d')|upper
"""
numbers = st.recursive(
    whole | paths,
    lambda inner: (
        st.builds(lambda a, sign, b: f"({a} {sign} {b})", inner, SIGNS, inner)
        | inner.map(lambda a: f"(-{a})")
    ),
    max_leaves=5,
)
plain = whole | words | paths | st.sampled_from(["true", "false", "none"])
conditions = st.recursive(
    st.builds(lambda a, b: f"({a} < {b} <= 9)", numbers, numbers)
    | st.builds(lambda p: f"({p} is defined)", paths)
    | st.builds(lambda p: f"({p} is none)", paths)
    | st.builds(lambda p: f"({p} is string)", paths)
    | st.builds(lambda a, b: f"({a} in [{b}, {a}])", words, paths),
    lambda inner: (
        st.builds(lambda a, word, b: f"({a} {word} {b})", inner, WORDS, inner)
        | inner.map(lambda a: f"(not {a})")
    ),
    max_leaves=4,
)
filtered = st.builds(
    lambda value, name: f"({value} | {name})", words | paths, st.sampled_from(FILTERS.split())
)
values = st.recursive(
    plain | numbers | conditions | filtered,
    lambda inner: (
        st.builds(lambda a, c, b: f"({a} if {c} else {b})", inner, conditions, inner)
        | st.builds(lambda a, b: f"[{a}, {b}]", inner, inner)
        | st.builds(lambda a, b: f"{{'k': {a}, 'l': {b}}}", inner, inner)
        | st.builds(lambda a, b: f"({a} ~ {b})", words, words | whole)
    ),
    max_leaves=4,
)
data = st.recursive(
    st.none() | st.integers(-50, 50) | st.sampled_from(["x", "Y z", "", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=10,
).map(lambda made: {"a": 1, "b": made, "c": [made, 2], "d": {"a": made}})


def by_jinja(text, order):
    try:
        return "gives", JINJA.compile_expression(text, undefined_to_none=False)(order=order)
    except (UndefinedError, TypeError, ZeroDivisionError):
        return "stops", None


def by_us(text, order):
    scalar = Scalar(value=f"{{{{ {text} }}}}", text=f"{{{{ {text} }}}}")
    made, faults = compiler.expression(scalar, file="m.yaml", names={"order"})
    assert [str(f) for f in faults] == []
    found = outcome(made, {"order": order})
    careful = outcome(replace(made._program, run=compiler._too_much), {"order": order})
    assert repr(careful) == repr(found), text
    return found


def outcome(run, scope):
    """Give what a program gives, or the code and place at which it stops."""
    try:
        return "gives", run(scope)
    except MappingError as error:
        return "stops", error.code


def settled(found):
    """Jinja gives an undefined as a value; for us that is an error."""
    kind, value = found
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, jinja2.Undefined):
            return "stops", None
        left.extend(
            item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        )
    return kind, value


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values, data)
def test_what_jinja_gives_we_give(text, order):
    theirs, ours = settled(by_jinja(text, order)), by_us(text, order)
    if ours[0] == "gives":
        assert theirs == ours, text
        assert repr(theirs) == repr(ours)
    elif theirs[0] == "gives":
        assert stricter(ours[1], text), (text, ours)


def stricter(code, text):
    """We stop where Python goes on: at kinds it mixes, and at tests of what is missing."""
    if code == "mapping.missing":
        return " is none" in text or " is string" in text
    return code in {"mapping.kind", "mapping.null", "mapping.text"}


AGREED = """
    order.a · order.b.c · order['a'] · order.c[0] · order.c[-1] · order.zz · order.c[9] ·
    (order.a + 2) * 3 // 4 % 5 · -order.a · order.zz | default('d') · order.b.zz | default('d') ·
    order.b.zz.y | default('d') · order.a is defined · order.zz is defined · 5 | abs ·
    order.b.zz is not defined · 'x' ~ 1 ~ 'é' · 1 < 2 < 3 · 1 < 2 > 3 · 'a' in ['a'] ·
    order.a and 'x' · '' or order.a · 'a' if order.a else order.zz · [1, [order.a]] ·
    {'k': order.a} · order.c | length · 'aXa' | lower | replace('a', 'b') · not order.a ·
    ['a', 1] | join('-') · 1 == 1 · 1 != 2 · none is none · ' a ' | trim · order.c | last ·
    [3, 1, 2] | sort | first
"""


@pytest.mark.parametrize("text", [text.strip() for text in AGREED.split("·")])
def test_the_plain_cases_agree_exactly(text):
    order = {"a": 1, "b": {"c": "x"}, "c": [1, 2]}
    theirs, ours = settled(by_jinja(text, order)), by_us(text, order)
    assert theirs[0] == ours[0]
    assert theirs[0] == "stops" or theirs == ours
