"""Reading an answer: the providers' error shapes, Retry-After, and what may stand in a text."""

from datetime import UTC, datetime

import pytest

from hub import Connector, ConnectorSettings, RateLimited, Reject, Skip, write_json
from hub.http.classify import Received, clean, retry_after, said, verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)

SHAPES = [
    # Stripe
    ({"error": {"message": "No such intent", "param": "intent", "code": "resource_missing"}},
     "No such intent", {"intent": "No such intent"}),
    # HubSpot
    ({"status": "error", "message": "Invalid input", "correlationId": "c",
      "errors": [{"message": "bad email", "in": "email"}]},
     "Invalid input", {"": "Invalid input", "email": "bad email"}),
    # SendGrid
    ({"errors": [{"message": "is required", "field": "from.email", "help": "h"}]},
     "is required", {"from.email": "is required"}),
    # problem+json
    ({"type": "about:blank", "title": "Bad Request", "detail": "qty is negative"},
     "qty is negative", {"": "qty is negative"}),
    # OAuth
    ({"error": "invalid_grant", "error_description": "the code has expired"},
     "the code has expired", {"": "the code has expired"}),
    # Salesforce
    ([{"message": "duplicate", "errorCode": "DUPLICATES_DETECTED"}], "duplicate",
     {"": "duplicate"}),
    # Google
    ({"error": {"code": 400, "message": "bad", "errors": [{"message": "worse", "path": "a.b"}]}},
     "bad", {"": "bad", "a.b": "worse"}),
    # Shopify, Rails: messages by field
    ({"errors": {"title": ["can't be blank", "is short"], "price": "is not a number"}},
     "can't be blank", {"title": "can't be blank", "price": "is not a number"}),
    # FastAPI
    ({"detail": "Not found"}, "Not found", {"": "Not found"}),
    # only a word
    ({"error": "forbidden"}, "forbidden", {"": "forbidden"}),
    ({"code": "E17"}, "E17", {"": "E17"}),
    ("plainly wrong", "plainly wrong", {"": "plainly wrong"}),
    # nothing to say
    ({}, "", {}),
    ([], "", {}),
    (None, "", {}),
    ({"message": 17, "errors": [None, 3, []]}, "", {}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "text", "errors"), SHAPES)
def test_the_provider_s_own_words_are_found(body, text, errors):
    assert said(Received(400, {}, write_json(body))) == (text, errors)


def test_plain_text_is_read_and_pages_and_bytes_are_not():
    assert said(Received(400, {"Content-Type": "text/plain"}, b"no such key")) == (
        "no such key",
        {},
    )
    assert said(Received(400, {"Content-Type": "text/html"}, b"<h1>Oops</h1>")) == ("", {})
    assert said(Received(400, {}, b"\xff\xfe")) == ("", {})


def test_many_errors_are_cut_to_a_few():
    body = write_json({"errors": [{"field": f"f{i}", "message": "m"} for i in range(1000)]})
    assert len(said(Received(400, {}, body))[1]) == 20


TEXTS = [
    ("no such user jane@example.com", "no such user ‹email›"),
    ("contact jane%40example.com exists", "contact ‹email› exists"),
    ("<jane.doe+x@sub.example.co.uk>, bad", "<‹email›>, bad"),
    ("call +49 (0)170 123-4567 now", "call ‹phone› now"),
    ("order 2026-11-20 of 12345678901", "order 2026-11-20 of 12345678901"),
    ("the key sk_live_1 and sk_live_1", "the key ‹secret› and ‹secret›"),
    ("two\nlines\t\x1b[31mred", "two lines [31mred"),
    ("x" * 5000, "x" * 300),
]


@pytest.mark.parametrize(("text", "cleaned"), TEXTS)
def test_a_text_is_made_fit_for_a_log(text, cleaned):
    assert clean(text, ["sk_live_1"]) == cleaned


WAITS = [
    ("7", 7),
    (" 7 ", 7),
    ("1.5", 1.5),
    ("0", 0),
    ("-1", None),
    ("1e9", None),
    ("9" * 30, None),
    ("999999999", 86400),
    ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
    ("Thu, 01 Jan 2026 00:00:30", 30),  # no zone: GMT is the only one allowed
    ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
    ("Fri, 01 Jan 2027 00:00:00 GMT", 86400),
    ("in a while", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("value", "seconds"), WAITS)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(value, seconds):
    assert retry_after(value, NOW) == seconds


class Plain(Connector):
    """A connector with nothing of its own."""

    type = "plain"


def decided(connector, status, body=b"{}"):
    return verdict(Received(status, {}, body), connector, now=NOW, secrets=["hunter2-hunter2"])


def make(cls=Plain, **members):
    made = type("Made", (cls,), members)
    return made("p", ConnectorSettings(base_url="https://a.example"), None)


def test_a_connector_s_rows_stand_over_the_table_and_under_its_own_reading():
    assert type(decided(make(), 429)) is RateLimited
    assert type(decided(make(statuses={429: Reject}), 429)) is Reject
    reads = {"statuses": {429: Reject}, "classify": lambda self, answer: Skip("nothing to do")}
    assert type(decided(make(**reads), 429)) is Skip


def test_a_reading_that_fails_on_a_page_leaves_the_answer_to_the_table():
    reads = make(classify=lambda self, answer: answer.json() and None)
    assert type(decided(reads, 401, b"<html>")).__name__ == "AuthFailed"


def test_a_connector_s_own_error_is_cleaned_too():
    def classify(self, answer):
        return Reject("bad key hunter2-hunter2", errors={"a@b.example": "of c@d.example"})

    error = decided(make(classify=classify), 400)
    assert str(error) == "bad key ‹secret›"
    assert error.errors == {"‹email›": "of ‹email›"}


def test_a_json_api_pointer_names_the_field():
    told = {"title": "Invalid input.", "detail": "is no date", "source": {"pointer": "/data/time"}}
    answer = Received(400, {}, write_json({"errors": [told]}))
    assert said(answer) == ("is no date", {"/data/time": "is no date"})
