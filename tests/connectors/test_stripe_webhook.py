"""Stripe's signatures: ours beside the vendor's own verifier, with every difference named."""

import hashlib
import hmac
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

import connectors.stripe
from connectors.stripe import Stripe, inbound
from hub import Request, Secret, SignatureError

FIXTURES = Path(connectors.stripe.__file__).parent / "fixtures"
SECRET = "whsec_test_secret"
NOW = 1_700_000_000
BODY = b'{"id": "evt_1", "object": "event"}'


def request(header, body=BODY):
    headers = ((b"Stripe-Signature", header),) if header is not None else ()
    return Request(method="POST", url="https://hub.example.com/x", headers=headers, body=body)


def ours(header, body=BODY, secret=SECRET, now=NOW):
    try:
        inbound.verify(request(header, body), Secret(secret), now=now)
    except SignatureError as error:
        return error.reason
    return "ok"


@pytest.fixture
def vendor(monkeypatch):
    """The vendor's verifier at our time: ok, refused, or the name of what escapes it."""

    def verify(header, body=BODY, secret=SECRET, now=NOW):
        monkeypatch.setattr(stripe._webhook, "time", SimpleNamespace(time=lambda: now))
        try:
            text = None if header is None else header.decode()
            WebhookSignature.verify_header(body.decode(), text, secret, tolerance=300)
        except SignatureVerificationError:
            return "refused"
        except Exception as error:  # noqa: BLE001 -- what escapes is what is compared
            return type(error).__name__
        return "ok"

    return verify


def v1(stamp, body=BODY, secret=SECRET):
    """A signature made with nothing of ours and nothing of the vendor's."""
    signed = str(stamp).encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


GOOD = v1(NOW)
HEADERS = [
    # header, ours, the vendor's
    (b"t=%d,v1=%s" % (NOW, GOOD), "ok", "ok"),
    (b"v1=%s,t=%d" % (GOOD, NOW), "ok", "ok"),
    (b"t=%d,v1=bad,v1=%s" % (NOW, GOOD), "ok", "ok"),
    (b"t=%d,v0=%s,v1=%s,v2=x" % (NOW, GOOD, GOOD), "ok", "ok"),
    (b"t=%d,v1=%s" % (NOW - 300, v1(NOW - 300)), "ok", "ok"),
    (b"t=%d,v1=%s" % (NOW - 301, v1(NOW - 301)), "stale", "refused"),
    (b"t=%d,v1=%s" % (NOW + 300, v1(NOW + 300)), "ok", "ok"),
    (None, "missing", "refused"),
    (b"", "missing", "refused"),
    (b"   ", "missing", "refused"),
    (b"t=%d" % NOW, "missing", "refused"),
    (b"t=%d,v0=%s" % (NOW, GOOD), "missing", "refused"),
    (b"t=%d,V1=%s" % (NOW, GOOD), "missing", "refused"),
    (b"v1=%s" % GOOD, "malformed", "refused"),
    (b"nothing like it", "malformed", "refused"),
    (b"t=,v1=%s" % GOOD, "malformed", "refused"),
    (b"t=abc,v1=%s" % GOOD, "malformed", "refused"),
    (b"t=-1,v1=%s" % GOOD, "malformed", "refused"),
    (b"t=1e9,v1=%s" % GOOD, "malformed", "refused"),
    (b"t=%d000,v1=%s" % (NOW, GOOD), "early", "refused"),
    (b"t=%d,v1=" % NOW, "mismatch", "refused"),
    (b"t=%d,v1=%s" % (NOW, GOOD[:-1]), "mismatch", "refused"),
    (b"t=%d,v1=%s0" % (NOW, GOOD), "mismatch", "refused"),
    (b"t=%d,v1=%s" % (NOW, GOOD.upper()), "mismatch", "refused"),
    (b"t=%d,v1=%s" % (NOW, v1(NOW, b"other")), "mismatch", "refused"),
    (b"t=%d,v1=%s" % (NOW, v1(NOW, secret="whsec_other")), "mismatch", "refused"),
    (b"t=%d,v1=%s" % (NOW - 1, GOOD), "mismatch", "refused"),
]


@pytest.mark.parametrize(("header", "mine", "theirs"), HEADERS)
def test_both_verifiers_agree(vendor, header, mine, theirs):
    assert (ours(header), vendor(header)) == (mine, theirs)


DIFFERENT = [
    # header, ours, the vendor's, why ours is stricter
    (b"t=%d,v1=%s" % (NOW + 301, v1(NOW + 301)), "early", "ok"),  # no bound ahead
    (b"t=%d,v1=%s" % (NOW + 86400, v1(NOW + 86400)), "early", "ok"),
    (b"t=+%d,v1=%s" % (NOW, GOOD), "malformed", "ok"),  # int() takes signs,
    (b"t= %d,v1=%s" % (NOW, GOOD), "malformed", "ok"),  # spaces
    (b"t=1_700_000_000,v1=%s" % GOOD, "malformed", "ok"),  # and underscores
    (b"t=%d,t=1,v1=%s" % (NOW, GOOD), "malformed", "ok"),  # takes the first of two times
    (b"t=%d,v1=\xc3\xbc" % NOW, "malformed", "TypeError"),  # not ASCII
    (b"t=%d,v1=%s,x" % (NOW, GOOD), "malformed", "ok"),  # a part without =
    (b"t=%d,%sv1=%s" % (NOW, b"v1=bad," * 10, GOOD), "too_many", "ok"),  # any number of signatures
]


@pytest.mark.parametrize(("header", "mine", "theirs"), DIFFERENT)
def test_where_the_verifiers_differ_ours_is_the_stricter(vendor, header, mine, theirs):
    assert (ours(header), vendor(header)) == (mine, theirs)


def test_a_body_that_is_no_text_is_verified_all_the_same(vendor):
    body = b"\xff\x00\r\n"
    header = b"t=%d,v1=%s" % (NOW, v1(NOW, body))
    assert (ours(header, body), vendor(header, body)) == ("ok", "UnicodeDecodeError")


def test_a_header_sent_twice_is_refused():
    good = (b"Stripe-Signature", b"t=%d,v1=%s" % (NOW, GOOD))
    twice = Request(method="POST", url="https://a.example/", headers=(good, good), body=BODY)
    with pytest.raises(SignatureError, match="malformed"):
        inbound.verify(twice, Secret(SECRET), now=NOW)


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_an_empty_secret_verifies_nothing(secret):
    assert ours(b"t=%d,v1=%s" % (NOW, v1(NOW, secret=secret)), secret=secret) == "unsupported"


VECTORS = json.loads((FIXTURES / "vectors.json").read_text())["cases"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vendor_vectors_hold_for_both(vendor, vector):
    header, body = vector["headers"]["Stripe-Signature"].encode(), vector["body"].encode()
    how = {"secret": vector["secret"], "now": vector["now"]}
    assert ours(header, body, **how) == vector["expected"]
    theirs = "ok" if vector["expected"] in ("ok", "early") else "refused"
    assert vendor(header, body, **how) == theirs


@given(st.text(), st.integers(0, 10**11), st.text(st.characters(codec="ascii"), min_size=1))
def test_what_either_signs_both_accept(text, now, secret):
    body = text.encode("utf-8", "surrogatepass")
    if not secret.strip():
        secret = "whsec_"
    mine = inbound.sign(body, Secret(secret), now=now)["Stripe-Signature"]
    assert ours(mine.encode(), body, secret, now) == "ok"
    if body.decode(errors="replace") == text:
        theirs = WebhookSignature.generate_signature_header(text, secret, timestamp=now)
        assert theirs == mine


@given(st.binary(max_size=200))
def test_no_header_makes_the_verifier_fail_otherwise(header):
    assert ours(header) in {"missing", "malformed", "stale", "early", "mismatch", "too_many"}


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_any_flipped_bit_of_the_signature_is_refused(bit):
    flipped = bytearray(GOOD)
    flipped[bit // 8] ^= 1 << bit % 8
    assert ours(b"t=%d,v1=%s" % (NOW, bytes(flipped))) != "ok"


# -- which job an event settles --------------------------------------------------------------------
JOBS = [
    # type, object, job
    ("payment_intent.created", {"object": "payment_intent", "hub_job": "job_a"}, "job_a"),
    ("payment_intent.canceled", {"object": "payment_intent", "hub_job": "job_a"}, "job_a"),
    (
        "payment_intent.succeeded",
        {"object": "payment_intent", "hub_job": "job_a", "hub_capture": "job_c"},
        "job_c",
    ),
    (
        "payment_intent.canceled",
        {"object": "payment_intent", "hub_job": "job_a", "hub_capture": "job_c"},
        "job_a",  # only success proves the capture
    ),
    ("charge.refunded", {"object": "charge", "hub_job": "job_a"}, "job_a"),
    ("refund.created", {"object": "refund", "hub_job": "job_r"}, "job_r"),
    ("refund.created", {"object": "refund"}, None),
    ("checkout.session.expired", {"object": "checkout.session", "hub_job": "job_s"}, "job_s"),
    ("customer.created", {"object": "customer", "hub_job": "job_x"}, None),
]


@pytest.mark.parametrize(("kind", "thing", "job"), JOBS)
def test_an_event_proves_the_job_that_made_its_object(kind, thing, job):
    marks = {name: value for name, value in thing.items() if name != "object"}
    assert inbound.job_of(kind, {"object": thing["object"], "metadata": marks}) == job


def settings(**given):
    return Stripe.Settings.model_validate(given)


KEYS = [
    # mode, key, good
    ("test", "sk_test_1234567890", True),
    ("test", "rk_test_1234567890", True),
    ("live", "rk_live_1234567890", True),
    ("live", "sk_test_1234567890", False),
    ("test", "sk_live_1234567890", False),
    ("test", "pk_test_1234567890", False),
    ("test", "", False),
]


@pytest.mark.parametrize(("mode", "key", "good"), KEYS)
def test_a_key_of_the_other_mode_is_refused_unseen(mode, key, good):
    if good:
        assert settings(mode=mode, api_key=Secret(key, "K")).mode == mode
        return
    with pytest.raises(ValueError, match="mode") as caught:
        settings(mode=mode, api_key=Secret(key, "K"))
    assert "1234567890" not in str(caught.value)
    assert "1234567890" not in repr(caught.value.errors())
