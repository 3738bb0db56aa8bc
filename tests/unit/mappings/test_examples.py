"""Tests inside mapping files: what passes, what fails, and how it says so."""

import pytest

from hub.tree import compose
from mappings import compile as compiler
from mappings.examples import run_tests

FIXTURE = {"id": "ord_1", "n": 2, "lines": [1, 2], "who": {"name": "Ann", "age": 5}}
HEAD = """mapping: m
from: shop.order@1
to: x.y
map:
  $if: "{{ order.n < 9 }}"
  $value:
    id: "{{ order.id }}"
    lines: "{{ order.lines }}"
    name: "{{ order.who.name | default(omit) }}"
    age: "{{ order.who.age }}"
    at: "{{ event.occurred_at }}"
tests:
"""


def load(name):
    return {"a.json": FIXTURE}[name]


def failures(*tests):
    text = HEAD + "".join(f"  - {test}\n" for test in tests)
    node, faults = compose(text, "m.yaml")
    assert faults == []
    mapping, faults = compiler.mapping(node, file="m.yaml")
    assert faults == []
    return run_tests(mapping, load)


PASS = [
    "{ name: t, given: a.json, expect: { id: ord_1, lines: [1, 2] } }",
    "{ name: t, given: a.json, expect: { lines: { $length: 2, $contains: 2 } } }",
    "{ name: t, given: a.json, expect: { name: { $contains: nn }, nope: { $absent: true } } }",
    "{ name: t, given: { id: x, n: 1, lines: [], who: { age: 1.0 } }, expect: { age: 1 } }",
    "{ name: t, given: { $fixture: a.json, id: y }, expect: { id: y, name: Ann } }",
    "{ name: t, given: { $fixture: a.json, who: { age: 7 } }, expect: { name: Ann, age: 7 } }",
    "{ name: t, given: { $fixture: a.json, who: { $exact: { age: 7 } } }, expect: { name: { $absent: true } } }",  # noqa: E501
    "{ name: t, given: { $fixture: a.json, who: { name: { $absent: true } } }, expect: { name: { $absent: true } } }",  # noqa: E501
    "{ name: t, given: { $fixture: a.json, lines: [] }, expect: { lines: [] } }",
    "{ name: t, given: { $fixture: a.json, n: 9 }, skipped: true }",
    "{ name: t, given: { $fixture: a.json, who: null }, error: mapping.null }",
    "{ name: t, given: a.json, event: { occurred_at: then }, expect: { at: then } }",
]


@pytest.mark.parametrize("test", PASS)
def test_a_test_that_holds_passes(test):
    assert [str(f) for f in failures(test)] == []


FAIL = [
    ("{ name: t, given: a.json, expect: { id: x } }", "test 't': id: expected 'x', got 'ord_1'"),
    ("{ name: t, given: a.json, expect: { lines: [] } }",
     "test 't': lines: expected [], got 2 items"),
    ("{ name: t, given: a.json, expect: { lines: [1, 3] } }",
     "test 't': lines[1]: expected 3, got 2"),
    ("{ name: t, given: a.json, expect: { nope: 1 } }", "test 't': nope: expected 1, got nothing"),
    ("{ name: t, given: a.json, expect: { age: true } }", "test 't': age: expected True, got 5"),
    ("{ name: t, given: a.json, expect: { id: { $absent: true } } }",
     "test 't': id: expected nothing, got 'ord_1'"),
    ("{ name: t, given: a.json, expect: { lines: { $length: 3 } } }",
     "test 't': lines: expected length 3, got 2 items"),
    ("{ name: t, given: a.json, expect: { age: { $length: 1 } } }",
     "test 't': age: expected length 1, got 5"),
    ("{ name: t, given: a.json, expect: { lines: { $contains: 9 } } }",
     "test 't': lines: expected it to contain 9, got 2 items"),
    ("{ name: t, given: a.json, expect: { $exact: { id: ord_1 } } }",
     "test 't': expected exactly object, got object"),
    ("{ name: t, given: a.json, expect: 5 }", "test 't': expected 5, got object"),
    ("{ name: t, given: { $fixture: a.json, n: 9 }, expect: {} }",
     "test 't': expected a result, got omit"),
    ("{ name: t, given: a.json, skipped: true }", "test 't': expected omit, got a result"),
    ("{ name: t, given: a.json, error: mapping.null }",
     "test 't': expected mapping.null, got a result"),
    ("{ name: t, given: {}, error: mapping.null }",
     "test 't': expected mapping.null, got m.yaml:5:18: error[mapping.missing] order has no field"),
    ("{ name: t, given: {}, expect: {} }", "test 't': m.yaml:5:18: error[mapping.missing]"),
    ("{ name: t, given: b.json, expect: {} }", "test 't': no such fixture"),
    ("{ name: t, given: { $fixture: b.json }, expect: {} }", "test 't': no such fixture"),
    # malformed
    ("5", "a test is an object"),
    ("{ given: a.json, expect: {} }", "a test needs 'name'"),
    ("{ name: t, expect: {} }", "a test needs 'given'"),
    ("{ name: t, given: a.json }", "test 't' needs one of expect, error, skipped"),
    ("{ name: t, given: a.json, expect: {}, skipped: true }",
     "test 't' needs one of expect, error, skipped"),
    ("{ name: t, given: a.json, expct: {} }", "a test has no key 'expct'; did you mean 'expect'?"),
]  # fmt: skip


@pytest.mark.parametrize(("test", "text"), FAIL)
def test_a_test_that_does_not_hold_says_so(test, text):
    [found] = failures(test)
    assert found.text.startswith(text)
    assert (found.code, found.file, found.line) == ("mapping.test", "m.yaml", 13)
    assert not found.warning


def test_each_failing_test_is_told():
    good, bad = PASS[0], FAIL[0][0]
    assert [f.line for f in failures(good, bad, good, bad)] == [14, 16]


def test_a_difference_per_field_is_told():
    found = failures("{ name: t, given: a.json, expect: { id: x, age: 6 } }")
    assert len(found) == 2


def test_tests_are_a_list():
    node, _ = compose(HEAD.replace("tests:", "tests: 5"), "m.yaml")
    mapping, _ = compiler.mapping(node, file="m.yaml")
    [found] = run_tests(mapping, load)
    assert found.text == "'tests' wants a list"


def test_a_mapping_without_tests_passes():
    node, _ = compose(HEAD.partition("tests:")[0], "m.yaml")
    mapping, _ = compiler.mapping(node, file="m.yaml")
    assert run_tests(mapping, load) == []
