"""`hub map`: run the tests in mapping files, run a mapping on an event, explain its fields."""

import json

import pytest

EVENT = '{"type": "sale.made", "data": {"name": "Ann Smith", "email": "a@example.com", "n": 2}}'
LONG = """
mapping: long
from: sale.made
to: elsewhere.put
let: { who: "{{ data.name }}" }
map:
  name: "{{ who | upper }}"
  fixed: yes it is
  lines:
    $for: line in data.lines
    $value: { sku: "{{ line.sku }}", of: "{{ data.n }}" }
  either: { $if: "{{ data.n > 1 }}", $value: "{{ data.n }}", $else: none }
  all: { $concat: [["{{ data.n }}"], "{{ data.lines | map('sku') }}"] }
tests:
  - { name: good, given: { name: a, n: 1, lines: [] }, expect: { name: A } }
"""


@pytest.fixture
def files(hub):
    (hub.home / "event.json").write_text(EVENT)
    (hub.home / "map-long.yaml").write_text(LONG)
    data = {"name": "Ann", "n": 2, "lines": [{"sku": "A"}, {"sku": "B"}]}
    (hub.home / "long.json").write_text(json.dumps({"type": "sale.made", "data": data}))
    return hub


def test_the_tests_of_a_mapping_pass(files):
    assert files("map", "test", "long", says="long: 1 tests") == 0


def test_all_mappings_are_tested_the_shipped_ones_too(files):
    assert files("map", "test", says="order-to-segment: 5 tests") == 0


def test_a_failing_test_ends_in_one_and_says_where(files):
    (files.home / "map-long.yaml").write_text(LONG.replace("name: A }", "name: B }"))
    assert (
        files("map", "test", says="error[mapping.test] test 'good': name: expected 'B', got 'A'")
        == 1
    )
    assert "map-long.yaml:" in files.err
    assert files.out.endswith(" 1 failed\n")


def test_a_mapping_runs_on_an_event_in_a_file(files):
    assert files("map", "run", "put", "event.json") == 0
    assert json.loads(files.out) == {"name": "Ann Smith"}


def test_a_mapping_runs_on_a_stored_event_and_that_is_recorded(files):
    ident = files.sale()
    assert files("map", "run", "put", ident) == 0
    assert json.loads(files.out) == {"name": "Ann"}
    assert [(row.what, row.subject) for row in files.audited()] == [("event.show", ident)]


def test_each_field_is_told_with_its_source_and_value(files):
    rows = files.rows("map", "explain", "long", "long.json", "--reveal")
    assert [(row["field"], row["from"], row["value"]) for row in rows] == [
        ("name", "data.name", "ANN"),
        ("fixed", "(fixed)", "yes it is"),
        ("lines[0].sku", "data.lines[].sku", "A"),
        ("lines[0].of", "data.n", 2),
        ("lines[1].sku", "data.lines[].sku", "B"),
        ("lines[1].of", "data.n", 2),
        ("either", "data.n", 2),
        ("all[0]", "data.n, data.lines", 2),
        ("all[1]", "data.n, data.lines", "A"),
        ("all[2]", "data.n, data.lines", "B"),
    ]


def test_personal_data_is_masked_unless_asked_and_that_is_recorded(files):
    ident = files.sale(name="Ann Smith")
    assert files("map", "explain", "put", ident, says="‹personal›") == 0
    assert "Ann" not in files.out
    assert files.audited() == []
    assert files("map", "explain", "put", ident, "--reveal", says="Ann Smith") == 0
    assert [row.what for row in files.audited()] == ["event.show"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("test", "putt"), 2, "did you mean 'put'?"),
        (("run", "put", "nothing"), 2, "no file nothing"),
        (("run", "put", "evt_nothing"), 1, "there is no event evt_nothing"),
        (("run", "put", "map-put.yaml"), 1, "not JSON"),
        (("run", "long", "event.json"), 1, "error[mapping.missing] data has no field 'lines'"),
    ],
)
def test_wrong_use_is_one_line(files, words, code, says):
    assert files("map", *words, says=says) == code
    assert "Traceback" not in files.err


def test_a_mapping_with_faults_tells_them(files):
    (files.home / "map-long.yaml").write_text(LONG.replace("upper", "uper"))
    assert files("map", "test", "long", says="error[mapping.filter] unknown filter 'uper'") == 1


def test_the_schemas_of_events_are_listed_and_shown(hub):
    rows = {row["schema"]: row["events"] for row in hub.rows("events", "schema")}
    assert "shop.order.paid" in rows["shop.order@1"].split(", ")
    assert rows["sale.made"] == "sale.made"
    for name in ("shop.order@1", "shop.order.paid"):
        assert hub("events", "schema", name) == 0
        assert json.loads(hub.out)["properties"]["number"] == {"title": "Number", "type": "string"}
    assert hub("events", "schema", "sale.made") == 0
    assert json.loads(hub.out) == {"type": "object"}


def test_an_unknown_schema_is_one_line(hub):
    assert hub("events", "schema", "shop.ordr@1", says="did you mean 'shop.order@1'?") == 2
