"""Bodies and parameters: what is wrong is named by its pointer, and nothing sent is repeated."""

from decimal import Decimal
from typing import Annotated, Literal

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.api.app import ENDPOINTS
from hub.api.endpoint import PUBLIC, Query
from hub.api.reading import MOST_NODES, decode, join, parse, read_query
from hub.errors import Refused


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: str
    qty: Annotated[int, Field(ge=1, le=100)]


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: tuple[Line, ...]
    at: AwareDatetime | None = None
    pay: Line | Annotated[str, Field(max_length=3)] | None = None
    kind: Literal["a", "b"] = "a"


class Filters(Query):
    limit: Annotated[int, Field(ge=1)] = 50
    since: AwareDatetime | None = Field(default=None, alias="created[gte]")


def refusal(work, *args):
    with pytest.raises(Refused) as caught:
        work(*args)
    return caught.value


def faults(raw: bytes):
    told = refusal(lambda: parse(Order, raw, decode(raw)))
    assert told.code == "validation_error"
    return {(fault["pointer"], fault["code"]) for fault in told.extra["errors"]}


BODIES = [
    (b"{}", ("/lines", "missing")),
    (b"[]", ("", "model_type")),
    (b"null", ("", "model_type")),
    (b'{"lines": [], "x/y~": 1}', ("/x~1y~0", "extra_forbidden")),
    (b'{"lines": [{"sku": "A", "qty": 0}]}', ("/lines/0/qty", "greater_than_equal")),
    (b'{"lines": [{"sku": "A", "qty": 101}]}', ("/lines/0/qty", "less_than_equal")),
    (b'{"lines": [{"sku": "A", "qty": "1"}]}', ("/lines/0/qty", "int_type")),  # no numbers as text
    (b'{"lines": [{"sku": "A", "qty": 1.0}]}', ("/lines/0/qty", "int_type")),
    (b'{"lines": [{"sku": "A", "qty": true}]}', ("/lines/0/qty", "int_type")),
    (b'{"lines": [{"sku": "A"}]}', ("/lines/0/qty", "missing")),
    (b'{"lines": [], "at": "2026-01-01T00:00:00"}', ("/at", "timezone_aware")),
    (b'{"lines": [], "pay": {"sku": "A"}}', ("/pay/qty", "missing")),  # a union's member is no step
    (b'{"lines": [], "kind": "c"}', ("/kind", "literal_error")),
    (b'{"lines": [], "kind": "a\\u0000"}', ("/kind", "out_of_bounds")),
    (b'{"lines": [], "k\\u0000": 1}', ("", "out_of_bounds")),
    (b'{"lines": [{"qty": 9223372036854775808}]}', ("/lines/0/qty", "out_of_bounds")),
    (b'{"lines": [{"qty": 1e400}]}', ("/lines/0/qty", "out_of_bounds")),
    (b"", ("", "json")),
    (b"{", ("", "json")),
    (b'{"lines": NaN}', ("", "json")),
    (b'{"lines": "\xff"}', ("", "json")),
    (b'{"lines": "\\ud800"}', ("", "json")),
    (b"[" * 65 + b"]" * 65, ("", "json")),
    (b"[" * 100_000, ("", "json")),
    (b"[" + b"0," * MOST_NODES + b"0]", ("", "too_many")),
]


@pytest.mark.parametrize(("raw", "fault"), BODIES, ids=[str(raw[:40]) for raw, _ in BODIES])
def test_a_fault_is_named_by_its_pointer(raw, fault):
    assert fault in faults(raw)


def test_a_good_body_is_read_with_its_types():
    raw = b'{"lines": [{"sku": "A", "qty": 2}], "at": "2026-01-01T00:00:00Z"}'
    made = parse(Order, raw, decode(raw))
    assert made.lines[0].qty == 2
    assert made.at.year == 2026


def test_numbers_stay_exact_for_the_fingerprint():
    assert decode(b'{"a": 1.10}') == {"a": Decimal("1.10")}


def test_a_refusal_repeats_nothing_that_was_sent():
    raw = b'{"lines": [{"sku": "A", "qty": "canary"}], "at": "canary", "kind": "canary"}'
    told = refusal(lambda: parse(Order, raw, decode(raw)))
    assert "canary" not in str(told.extra) + told.detail


def test_at_most_twenty_faults_are_told():
    raw = b'{"lines": [' + b"{}," * 50 + b"{}]}"
    assert len(faults(raw)) == 20


def test_a_pointer_escapes_its_parts():
    assert join("a/b", 3, "~") == "/a~1b/3/~0"


QUERIES = [
    ("nope=1", "unknown_parameter", "nope"),
    ("limit=0", "validation_error", "limit"),
    ("limit=ten", "validation_error", "limit"),
    ("limit=", "validation_error", "limit"),
    ("created[gte]=yesterday", "validation_error", "created[gte]"),
    ("since=2026-01-01T00:00:00Z", "unknown_parameter", "since"),  # the field's name is not its own
]


@pytest.mark.parametrize(("query", "code", "parameter"), QUERIES)
def test_a_wrong_parameter_is_named(query, code, parameter):
    told = refusal(read_query, Filters, make_mocked_request("GET", f"/v1/orders?{query}"))
    assert told.code == code
    assert [fault["parameter"] for fault in told.extra["errors"]] == [parameter]


def test_a_parameter_stands_once():
    twice = make_mocked_request("GET", "/v1/orders?limit=1&limit=2")
    assert refusal(read_query, Filters, twice).code == "validation_error"


def test_good_parameters_are_read():
    request = make_mocked_request("GET", "/v1/orders?limit=7&created%5Bgte%5D=2026-01-01T00:00:00Z")
    made = read_query(Filters, request)
    assert (made.limit, made.since.year) == (7, 2026)


def test_s16_no_endpoint_takes_a_field_it_does_not_name():
    # a form's fields are those of its own schema: tests/unit/api/test_forms.py
    taking = [e for e in ENDPOINTS if e.takes is not None and e.may != PUBLIC]
    assert len(taking) > 30
    assert [e.path for e in taking if e.takes.model_config.get("extra") != "forbid"] == []
