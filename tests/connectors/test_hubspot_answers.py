"""What HubSpot's refusals mean: whole answers, entries of a 207, and nonsense."""

import contextlib
import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.hubspot import Hubspot, answers, batches
from hub import Ambiguous, AuthFailed, RateLimited, Reject, Retry, Secret
from hub.http.classify import Received

UTC = ZoneInfo("UTC")


def refusal(status, body, headers=None, local=UTC):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.classify(Received(status, headers or {}, raw), local)


KINDS = [
    # status, body, error
    (400, {"message": "no"}, Reject),
    (404, {"status": "error"}, Reject),
    (409, {"message": "Contact already exists. Existing ID: 5"}, answers.Conflict),
    (400, {"category": "CONFLICT"}, answers.Conflict),
    (401, {"message": "no"}, AuthFailed),
    (403, {"category": "MISSING_SCOPES"}, AuthFailed),
    (423, {}, Retry),
    (477, b"", Retry),
    (429, b"", RateLimited),
    (400, b"<html>", type(None)),  # left to the hub's table
    (403, b"blocked", type(None)),
    (500, {"message": "internal error"}, type(None)),
    (503, {"message": "down"}, type(None)),
    (408, {"message": "slow"}, type(None)),
]


@pytest.mark.parametrize(("status", "body", "kind"), KINDS)
def test_a_status_and_its_body_make_one_error(status, body, kind):
    assert type(refusal(status, body)) is kind


PAUSES = [
    # policy, headers, local zone, seconds
    ("TEN_SECONDLY_ROLLING", {}, UTC, 10),
    ("SECONDLY", {}, UTC, 1),
    ("SECONDLY", {"retry-after": "3"}, UTC, 3),
    ("SECONDLY", {"Retry-After": "soon"}, UTC, 1),
    ("NEW_POLICY", {}, UTC, None),
    ("DAILY", {"Date": "Sun, 01 Mar 2026 23:59:58 GMT", "Retry-After": "1"}, UTC, 2),
    ("DAILY", {"Date": "Sun, 01 Mar 2026 00:00:00 GMT"}, UTC, 86_400),
    ("DAILY", {"Date": "Sun, 01 Mar 2026 23:00:00 GMT"}, ZoneInfo("Europe/Berlin"), 86_400),
    # the day clocks go forward in New York has 23 hours
    ("DAILY", {"Date": "Sun, 08 Mar 2026 05:00:00 GMT"}, ZoneInfo("America/New_York"), 82_800),
    ("DAILY", {}, UTC, 3600),  # no clock to go by: ask again in an hour
    ("DAILY", {"Date": "yesterday"}, UTC, 3600),
]


@pytest.mark.parametrize(("policy", "headers", "local", "seconds"), PAUSES)
def test_a_limit_says_how_long_it_lasts(policy, headers, local, seconds):
    assert refusal(429, {"policyName": policy}, headers, local).after == seconds


EMBEDDED = 'Property values were not valid: [{"isValid":false,"message":"bad","name":"amount"}]'
FIELDS = [
    # body, field errors
    ({"message": "no"}, {"": "no"}),
    ({"message": EMBEDDED}, {"amount": "bad"}),
    ({"message": EMBEDDED[:-3]}, {"": EMBEDDED[:-3]}),
    ({"errors": [{"message": "bad", "context": {"propertyName": ["a", "b"]}}]}, {"a": "bad"}),
    ({"errors": [{"message": "bad", "in": "idProperty"}]}, {"idProperty": "bad"}),
    ({"errors": [{"message": "bad", "context": "{missingScopes=[a]}"}]}, {"": "bad"}),
    ({"errors": [7, None]}, {"": ""}),
    ({"errors": {"message": "bad"}, "message": "no"}, {"": "no"}),
    (
        {"message": "Email address ann@example.com is invalid"},
        {"": "Email address ‹email› is invalid"},
    ),
]


@pytest.mark.parametrize(("body", "errors"), FIELDS)
def test_field_errors_are_found_where_hubspot_puts_them(body, errors):
    assert answers.refusal(body, 400).errors == errors


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["message", "errors", "context", "category", "policyName", "in", "results", "id",
             "objectWriteTraceId", "fromObjectId", "toObjectId", "propertyName"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(status=st.sampled_from([400, 401, 403, 409, 422, 423, 429, 477, 500]), body=JSON)
def test_no_body_upsets_the_classification(status, body):
    found = refusal(status, body)
    assert found is None or str(found)


@given(body=JSON | st.fixed_dictionaries({"results": st.lists(JSON), "errors": JSON}))
@example({"results": [{"fromObjectId": 1}], "errors": [{"context": {"a": [{}]}}]})
@example({"results": [{"id": None}, {"id": {}, "objectWriteTraceId": []}], "errors": 5})
def test_no_2xx_body_upsets_the_reading_of_a_batch(body):
    answer = Received(207, {}, json.dumps(body).encode())
    with contextlib.suppress(Ambiguous):
        assert len(batches.upserted(answer, "email", ["a", "b"], ["t1", "t2"])) == 2
    with contextlib.suppress(Ambiguous):
        assert len(batches.associated(answer, [("1", "2"), ("1", "3")])) == 2


def test_results_without_trace_ids_are_known_by_their_unique_value():
    rows = [{"id": "2", "properties": {"email": "b"}}, {"id": "1", "properties": {"email": "a"}}]
    answer = Received(200, {}, json.dumps({"results": rows}).encode())
    found = batches.upserted(answer, "email", ["a", "b", "c"], ["t1", "t2", "t3"])
    assert found[:2] == ["1", "2"]
    assert type(found[2]) is Ambiguous


def test_an_error_that_names_one_pair_leaves_the_others_unknown():
    pairs = [("5", "901"), ("5", "902"), ("5", "903")]
    gone = {"message": "gone", "context": {"fromObjectId": ["5"], "toObjectId": ["902"]}}
    body = {"results": [{"fromObjectId": "5", "toObjectId": "901"}], "errors": [gone]}
    found = batches.associated(Received(207, {}, json.dumps(body).encode()), pairs)
    assert [type(one) for one in found] == [type(None), Reject, Ambiguous]
    body["errors"] = [{"message": "gone", "context": {"fromObjectId": ["5"]}}]
    found = batches.associated(Received(207, {}, json.dumps(body).encode()), pairs)
    assert [type(one) for one in found] == [type(None), Reject, Reject]


BAD_SETTINGS = [
    {"api_version": "v3"},  # no old path
    {"time_zone": "Mars/Olympus"},
    {"time_zone": "../etc/passwd"},
    {"signature": "v4"},
    {"contact_key": "phone"},
    {"access_token": "pat-as-plain-text"},
    {"token": "x"},
]


@pytest.mark.parametrize("more", BAD_SETTINGS)
def test_a_setting_nobody_can_use_is_refused(more):
    with pytest.raises(ValueError, match=next(iter(more))):
        Hubspot.Settings(**{"access_token": Secret("pat-1")} | more)
