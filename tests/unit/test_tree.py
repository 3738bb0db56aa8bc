"""The YAML tree: our scalar rules, a place for everything, every fault at once, caps that hold."""

from decimal import Decimal
from time import perf_counter

import pytest

from hub.tree import Items, Scalar, Table, compose, fault, nearest, plain, walk


def read(text):
    node, faults = compose(text, "c.yaml")
    assert faults == [], [str(f) for f in faults]
    return node


def seen(text):
    return [(f.code, f.line, f.col) for f in compose(text, "c.yaml")[1]]


SCALARS = [
    # plain text that other readers take for something else
    ("NO", "NO"),
    ("on", "on"),
    ("Yes", "Yes"),
    ("True", "True"),
    ("00123", "00123"),
    ("3:30", "3:30"),
    ("1_000", "1_000"),
    ("1e5", "1e5"),
    ("0x10", "0x10"),
    ("2026-03-01", "2026-03-01"),
    ("+1", "+1"),
    (".5", ".5"),
    ("1.", "1."),
    ("\u0663", "\u0663"),  # a digit of another script
    # null, bool, numbers
    ("", None),
    ("~", None),
    ("null", None),
    ("true", True),
    ("false", False),
    ("0", 0),
    ("-17", -17),
    ("1.50", Decimal("1.50")),
    ("-0.5", Decimal("-0.5")),
    # quoted is text, whatever it looks like
    ('"1"', "1"),
    ("'true'", "true"),
    ('""', ""),
    ("'it''s'", "it's"),
    ('"a\\tb"', "a\tb"),
    ("|\n  1\n", "1\n"),
    (">\n  a\n  b\n", "a b\n"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_ours(text, value):
    found = plain(read(f"a: {text}"))["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text():
    assert plain(read("1: a\ntrue: b\n~: c\n'x': d")) == {"1": "a", "true": "b", "~": "c", "x": "d"}


def test_everything_knows_its_place():
    tree = read("a: 1\nb:\n  - x\n  - {c: 'y', d: |\n  }\n".replace("d: |\n  ", "d: z"))
    places = {path: (spot.node.line, spot.node.col) for path, spot in walk(tree)}
    keys = {path: (spot.key.line, spot.key.col) for path, spot in walk(tree) if spot.key}
    assert places == {
        (): (1, 1), ("a",): (1, 4), ("b",): (3, 3), ("b", 0): (3, 5), ("b", 1): (4, 5),
        ("b", 1, "c"): (4, 9), ("b", 1, "d"): (4, 17),
    }  # fmt: skip
    assert keys == {
        ("a",): (1, 1), ("b",): (2, 1), ("b", 1, "c"): (4, 6), ("b", 1, "d"): (4, 14),
    }  # fmt: skip


def test_an_absent_value_stands_after_its_key():
    tree = read("a:\nb:   # c\n\n- x".replace("- x", "c: 1"))
    assert [(node.value, node.line, node.col) for _, node in tree.pairs] == [
        (None, 1, 3), (None, 2, 3), (1, 4, 4)
    ]  # fmt: skip


def test_a_path_is_followed_as_far_as_it_goes():
    tree = read("a: {b: [1, {c: 2}]}")
    spot, found = nearest(tree, ("a", "b", 1, "c"))
    assert (plain(spot.node), spot.key.text, found) == (2, "c", ("a", "b", 1, "c"))
    spot, found = nearest(tree, ("a", "b", 7, "c"))
    assert (spot.key.text, found) == ("b", ("a", "b"))
    spot, found = nearest(tree, ("z",))
    assert (spot.node, found) == (tree, ())


AT = [
    # text, offset in the scalar -> line, column
    ("a: plain {{ x }}", 9, (1, 13)),
    ('a: "{{ x }}"', 3, (1, 8)),
    ("a: '{{ x }}'", 3, (1, 8)),
    ("a: &n '{{ x }}'", 3, (1, 11)),
    ("a: |\n  one\n  two {{ x }}\n", 8, (3, 7)),
    ("a: |2\n    one\n  two\n", 0, (2, 3)),
    ("a: >\n  one {{ x }}\n", 4, (2, 7)),
    ("a: |\n  one\n\n  two\n", 5, (4, 3)),
    # folded or escaped before the character: the scalar's own place
    ("a: >\n  one\n  two {{ x }}\n", 8, (1, 4)),
    ('a: "\\t{{ x }}"', 4, (1, 4)),
    # escaped after it: exact
    ('a: "{{ x }}\\t"', 3, (1, 8)),
    ('a: "one\n  two"', 5, (1, 4)),
]


@pytest.mark.parametrize(("text", "offset", "place"), AT)
def test_a_character_is_found_again(text, offset, place):
    assert read(text).get("a").at(offset) == place


FAULTS = [
    ("a: [1, 2: 3:", [("yaml.syntax", 1, 12)]),
    ("a:\n\t- x", [("yaml.syntax", 2, 1)]),
    ("a: 'x", [("yaml.syntax", 1, 6)]),
    ("a: \x01", [("yaml.syntax", 1, 4)]),
    ("a: *x", [("yaml.syntax", 1, 4)]),
    ("a: &x [*x]", [("yaml.syntax", 1, 8)]),
    ("? [a]\n: b", [("yaml.syntax", 1, 3)]),
    ("%YAML 3.0\n---\na", [("yaml.syntax", 1, 1)]),
    # all duplicates, not the first alone
    ("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3",
     [("yaml.duplicate", 2, 1), ("yaml.duplicate", 3, 11), ("yaml.duplicate", 4, 1)]),
    ("'a': 1\na: 2", [("yaml.duplicate", 2, 1)]),
    # bare braces, also where they stop the parser
    ("a: {{ x }}\nb: {{ y | lower }}", [("yaml.braces", 1, 4), ("yaml.braces", 2, 4)]),
    ("a: {{ x }} y", [("yaml.braces", 1, 4)]),
    ("a: {{ x[0] }}", [("yaml.braces", 1, 4)]),
    ("a: [${env:X}]", [("yaml.braces", 1, 5)]),
    ("a: {b: ${env:X}}", [("yaml.braces", 1, 8)]),
    ("a: Order #{{ x }}", [("yaml.comment", 1, 10)]),
    ("a: # {{ x }}", [("yaml.comment", 1, 4)]),
    ("a: !x 1\nb: !!str 2\nc: ! [3]", [("yaml.tag", 1, 4), ("yaml.tag", 2, 4), ("yaml.tag", 3, 4)]),
    ("a:\n  b: # {{ x }}\n  c: 1", [("yaml.comment", 2, 6)]),
    ("a: &x {}\nb:\n  <<: *x", [("yaml.merge", 3, 3)]),
    ("---\na\n---\nb", [("yaml.documents", 3, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "faults"), FAULTS)
def test_a_fault_has_its_place(text, faults):
    assert seen(text) == faults


def test_a_quoted_merge_sign_and_a_comment_are_no_fault():
    assert plain(read("'<<': 1\nb: 'x' # {{ y }}\n# {{ z }}\n")) == {"<<": 1, "b": "x"}


def test_a_fault_prints_its_line_and_how_to_mend_it():
    _, [found] = compose("email: {{ order.email }}\n", "routes.yaml")
    assert str(found) == (
        "routes.yaml:1:8: error[yaml.braces] {{ … }} must be quoted here\n"
        "    email: {{ order.email }}\n"
        "           ^\n"
        '    fix: "{{ order.email }}"'
    )
    _, [found] = compose("a: 1\nb: [1,\nc: 2", "c.yaml")
    assert found.fix == "close the sequence opened at line 2"
    _, [found] = compose("a: 1\na: 2", "c.yaml")
    assert found.text == "'a' is defined twice (first at line 1)"


def test_only_the_comment_is_a_warning():
    _, [found] = compose("a: Order #{{ x }}", "c.yaml")
    assert found.warning
    assert found.text == "text after ' #' is a comment: the value is now 'Order'"


def test_bare_braces_are_still_read_as_the_text_that_was_meant():
    node, [_] = compose("a: {{ x }}\nb: 1", "c.yaml")
    assert plain(node) == {"a": "{{ x }}", "b": 1}


def test_an_alias_names_both_places():
    tree = read("x: &x\n  a: 1\ny: *x\n")
    spot, _ = nearest(tree, ("y", "a"))
    found = fault(spot.node, "value.type", "wants text")
    assert (found.line, found.col, found.text) == (2, 6, "wants text (used at line 3)")
    spot, _ = nearest(tree, ("x", "a"))
    assert fault(spot.node, "value.type", "wants text").text == "wants text"


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_document_is_no_node_and_no_fault(text):
    assert compose(text, "c.yaml") == (None, [])


def test_the_kinds_of_nodes():
    assert isinstance(read("a"), Scalar)
    assert isinstance(read("[a]"), Items)
    assert isinstance(read("{a: b}"), Table)


def alias_bomb():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 5)}]" for i in range(1, 10)]
    return "\n".join(rows)


def deep_alias():
    rows = ["a0: &a0 [[[[[[[[x]]]]]]]]"]
    rows += [f"a{i}: &a{i} [[[[[[[[*a{i - 1}]]]]]]]]" for i in range(1, 10)]
    return "\n".join(rows)


BOMBS = {
    "bytes": "é" * (1 << 19) + "x",
    "lists in lists": "[" * 500_000,
    "block lists": "- " * 400_000,
    "tables": "{a: " * 200_000,
    "keys in keys": "? " * 400_000,
    "braces": "{" * 500_000,
    "nodes": "[" + "a," * 500_000,
    "lines of nodes": "k: v\n" * 20_000,
    "brackets": "[" + "[]," * 20_000 + "]",
    "aliases of aliases": alias_bomb(),
    "levels by aliases": deep_alias(),
    "aliases": "a: &a 1\nb: [" + "*a, " * 51 + "]",
    "digits": "1" * 5000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly(name):
    begun = perf_counter()
    _, faults = compose(BOMBS[name], "c.yaml")
    assert "yaml.too_big" in [f.code for f in faults]
    assert len(faults) <= 2
    assert all(len(str(f)) < 500 for f in faults)
    assert perf_counter() - begun < 20  # a shared core; alone the slowest takes 2 s


def test_the_caps_are_exact():
    assert seen("[" * 64 + "]" * 64) == []
    assert seen("[" * 65 + "]" * 65) == [("yaml.too_big", 1, 65)]
    assert seen("a: &a 1\nb: [" + "*a, " * 50 + "]") == []
    assert seen("x" * (1 << 20)) == []
    assert seen("[" + "1," * 29_997 + "1]") == []
    assert seen("[" + "1," * 29_999 + "1]") == [("yaml.too_big", 1, 60_000)]
    assert seen("[" + "1," * 30_000 + "1]") == [("yaml.too_big", 0, 0)]
