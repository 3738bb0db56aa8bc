"""Segment's webhook: single events, batches of which one event is signed, hostile input, items."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import connectors.segment
from connectors.segment import Segment
from connectors.segment.items import Identify, Track
from connectors.segment.sandbox import Sandbox
from hub import ManualClock, Request, Secret, SignatureError
from hub.sandbox import Endpoint

relaxed = settings(deadline=None)  # the machine may be busy
FIXTURES = Path(connectors.segment.__file__).parent / "fixtures"
VECTORS = json.loads((FIXTURES / "vectors.json").read_text())["cases"]
NOW = 1_700_000_000.0
SECRET = Secret("webhook-secret")
ONE = {"type": "track", "messageId": "m-1", "event": "A", "timestamp": "2023-11-14T22:13:20Z"}
TWO = ONE | {"messageId": "m-2"}


def connector(*, batches=False):
    made = Segment.Settings(write_key=Secret("wk"), accept_batches=batches)
    return Segment("seg", made, None)


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sha1(part, key=b"webhook-secret"):
    return hmac.new(key, part, hashlib.sha1).hexdigest().encode()


def asked(body, *signatures, name="X-Signature"):
    headers = tuple((name.encode(), signature) for signature in signatures)
    return Request(method="POST", url="https://hub.example.com/w", headers=headers, body=body)


def verdict(body, *signatures, batches=False, secret=SECRET, name="X-Signature"):
    try:
        connector(batches=batches).verify(asked(body, *signatures, name=name), secret, now=NOW)
    except SignatureError as error:
        return error.reason
    return "ok"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_gives_what_its_file_says(vector):
    signature = vector["headers"]["X-Signature"].encode()
    found = verdict(vector["body"].encode(), signature, secret=Secret(vector["secret"]))
    assert found == vector["expected"]


# -- batches -------------------------------------------------------------------------------------
BATCH = compact([ONE, TWO])


def test_a_batch_is_refused_unless_the_admin_accepts_it():
    signature = sha1(compact(ONE))
    assert verdict(BATCH, signature) == "mismatch"
    assert verdict(BATCH, signature, batches=True) == "ok"


def test_a_batch_signed_whole_is_still_not_read():
    request = asked(BATCH, sha1(BATCH))
    connector().verify(request, SECRET, now=NOW)
    with pytest.raises(ValueError, match="accept_batches"):
        list(connector().parse(request))


def test_an_accepted_batch_gives_all_its_events():
    events = list(connector(batches=True).parse(asked(BATCH)))
    assert [event.ext_id for event in events] == ["m-1", "m-2"]
    assert all(event.job is None for event in events)


def test_what_follows_a_batchs_first_event_is_not_signed_and_the_readme_says_so():
    forged = compact([ONE, TWO | {"event": "Forged"}])
    assert verdict(forged, sha1(compact(ONE)), batches=True) == "ok"
    readme = (FIXTURES.parent / "README.md").read_text()
    assert "only the first event" in readme


def test_a_batchs_first_event_is_compared_byte_for_byte():
    awkward = ONE | {"event": 'a "b" ]},{[ \\ Zoë €'}
    for first in (awkward, ONE | {"properties": {"n": [1, {"x": [2]}]}}):
        assert verdict(compact([first, TWO]), sha1(compact(first)), batches=True) == "ok"
        assert verdict(compact([TWO, first]), sha1(compact(first)), batches=True) == "mismatch"
        spaced = json.dumps([first, TWO]).encode()
        assert verdict(spaced, sha1(compact(first)), batches=True) == "mismatch"


def test_a_single_event_is_signed_whole_where_batches_are_accepted_too():
    assert verdict(compact(ONE), sha1(compact(ONE)), batches=True) == "ok"
    assert verdict(compact(TWO), sha1(compact(ONE)), batches=True) == "mismatch"


BROKEN = [b"[", b"[]", b"[,]", b"[ 1]", b"[\xff]", b"[" * 100_000, b"[" + b"9" * 5000 + b"]"]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_an_array_whose_first_item_cannot_be_found_is_malformed(body):
    assert verdict(body, sha1(body), batches=True) == "malformed"


# -- hostile input -------------------------------------------------------------------------------
BODY = compact(ONE)
GOOD = sha1(BODY)
HOSTILE = [  # signatures, reason
    ((), "missing"),
    ((b"",), "missing"),
    ((b"   ",), "missing"),
    ((GOOD, GOOD), "malformed"),
    ((b"a" * 65_536,), "malformed"),
    ((GOOD.upper(),), "mismatch"),
    ((GOOD[:-1],), "mismatch"),
    ((GOOD[:8],), "mismatch"),
    ((GOOD + b"\n",), "mismatch"),
    ((b" " + GOOD,), "mismatch"),
    ((b"sha1=" + GOOD,), "mismatch"),
    ((GOOD + b"," + GOOD,), "mismatch"),
    ((b"\x00" * 40,), "malformed"),
    ((b"\xff" * 40,), "malformed"),
    ((hmac.new(b"webhook-secret", BODY, hashlib.sha256).hexdigest().encode(),), "mismatch"),
    ((sha1(BODY, b"other"),), "mismatch"),
    ((sha1(BODY, b""),), "mismatch"),
    ((hashlib.sha1(BODY).hexdigest().encode(),), "mismatch"),
]


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize(("signatures", "reason"), HOSTILE)
def test_another_signature_is_refused(signatures, reason, batches):
    assert verdict(BODY, *signatures, batches=batches) == reason


def test_a_signature_in_another_header_counts_for_nothing():
    assert verdict(BODY, GOOD, name="X-Hub-Signature") == "missing"


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_an_empty_secret_verifies_nothing(secret):
    assert verdict(BODY, sha1(BODY, secret.encode()), secret=Secret(secret)) == "unsupported"


@relaxed
@given(st.data())
def test_one_flipped_bit_anywhere_is_refused(data):
    parts = [bytearray(BODY), bytearray(GOOD)]
    part = data.draw(st.sampled_from(parts))
    at = data.draw(st.integers(0, len(part) * 8 - 1))
    part[at // 8] ^= 1 << at % 8
    assert verdict(bytes(parts[0]), bytes(parts[1])) != "ok"


@relaxed
@given(st.binary(max_size=200), st.booleans())
def test_what_is_signed_verifies(body, batches):
    made = connector(batches=batches)
    try:
        headers = made.sign(body, SECRET, now=NOW)
    except SignatureError:
        assert batches
        assert body.startswith(b"[")
        return
    assert verdict(body, headers["X-Signature"].encode(), batches=batches) == "ok"


@relaxed
@given(st.binary(), st.binary(max_size=60), st.binary(max_size=10), st.booleans())
def test_nothing_but_a_signature_error_leaves_the_verifier(body, signature, key, batches):
    assert verdict(body, signature, secret=Secret(key), batches=batches) != "ok"


# -- the double signs as the destination does ----------------------------------------------------
@pytest.mark.parametrize("entries", [(ONE,), (ONE, TWO)])
def test_the_doubles_signature_is_the_destinations(entries):
    double = Sandbox(clock=ManualClock())
    sent = []
    double.emit = lambda body: sent.append(compact(body))
    double.forward(*entries)
    endpoint = Endpoint(url="http://127.0.0.1/hook", secret=SECRET)
    signature = double.sign(sent[0], endpoint)["X-Signature"].encode()
    assert signature == sha1(compact(ONE))
    assert verdict(sent[0], signature, batches=True) == "ok"


# -- events --------------------------------------------------------------------------------------
def test_an_event_keeps_its_own_id_and_time_and_settles_no_job():
    job = "job_01kg0000000000000000000001"
    late = ONE | {"timestamp": "2023-11-14T23:13:20.5+01:00", "messageId": job}
    [event] = connector().parse(asked(compact(late)))
    assert (event.type, event.ext_id, event.job) == ("track", job, None)
    assert event.at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert event.data == late


UNREADABLE = [
    b"", b"null", b"1", b"[1]", b"\xff", b"{}", compact(ONE | {"type": 1}),
    compact({k: v for k, v in ONE.items() if k != "messageId"}),
    compact({k: v for k, v in ONE.items() if k != "timestamp"}),
    compact(ONE | {"timestamp": "soon"}), compact(ONE | {"timestamp": "2023-11-14T22:13:20"}),
    compact(ONE | {"timestamp": 1_700_000_000}), b"[" * 65 + b"]" * 65, b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_body_that_cannot_be_read_raises(body, batches):
    with pytest.raises(ValueError, match=r"JSON|event|batch|nested|time|isoformat"):
        list(connector(batches=batches).parse(asked(body)))


# -- items ---------------------------------------------------------------------------------------
TRACK = {"userId": "c", "event": "A", "timestamp": "2026-01-01T00:00:00Z"}
WRONG = [  # changed members, what the refusal names
    ({"userId": None}, "userId or anonymousId"),
    ({"userId": ""}, "userId"),
    ({"userId": "x" * 256}, "userId"),
    ({"event": ""}, "event"),
    ({"timestamp": None}, "timestamp"),
    ({"timestamp": "2026-01-01T00:00:00"}, "timestamp"),
    ({"timestamp": "2026-01-01"}, "timestamp"),
    ({"timestamp": "2026-02-30T00:00:00Z"}, "timestamp"),
    ({"timestamp": "2026-01-01T25:00:00Z"}, "timestamp"),
    ({"timestamp": 1_700_000_000}, "timestamp"),
    ({"sentAt": "2026-01-01T00:00:00Z"}, "sentAt"),
    ({"messageId": "m"}, "messageId"),
    ({"user_id": "c"}, "user_id"),
    ({"properties": [1]}, "properties"),
]


@pytest.mark.parametrize(("changed", "named"), WRONG)
def test_an_event_segment_would_drop_is_refused_here(changed, named):
    with pytest.raises(ValidationError, match=named):
        Track.model_validate(TRACK | changed)


def test_an_event_needs_its_time_frozen():
    with pytest.raises(ValidationError, match="timestamp"):
        Track.model_validate({"userId": "c", "event": "A"})
    with pytest.raises(ValidationError, match="timestamp"):
        Identify.model_validate({"userId": "c"})


def test_either_identity_will_do():
    Track.model_validate(TRACK | {"userId": None, "anonymousId": "a"})
    made = Track.model_validate(TRACK | {"anonymousId": "a", "context": {"locale": None}})
    assert made.wire() == TRACK | {
        "anonymousId": "a",
        "context": {"locale": None},
        "properties": {},
    }
