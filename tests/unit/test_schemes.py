"""The signature primitives: right on known values, and only SignatureError on hostile ones."""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hub.errors import SignatureError
from hub.model import Request
from hub.secrets import Secret
from hub.testing import hostile
from webhooks import schemes

NOW = 1_700_000_000.0
STAMP = b"1700000000"
SECRET = Secret("a-webhook-secret", "test")
HMACS = {
    "body, hex": schemes.Hmac(header="S"),
    "time and body, hex": schemes.Hmac(header="S", time_header="T", signed="{t}.{body}"),
    "GitHub": schemes.Hmac(header="S", prefix="sha256="),
    "Slack": schemes.Hmac(header="S", time_header="T", signed="v0:{t}:{body}", prefix="v0="),
    "milliseconds, base64": schemes.Hmac(
        header="S", time_header="T", signed="{body}{t}", encoding="base64", unit=0.001
    ),
    "several, SHA-1": schemes.Hmac(header="S", separator=",", prefix="v1=", digest="sha1"),
    "SHA-512": schemes.Hmac(header="S", digest="sha512", encoding="base64"),
}


def request(body: bytes, headers) -> Request:
    raw = tuple((name.encode(), v if isinstance(v, bytes) else v.encode()) for name, v in headers)
    return Request(method="POST", url="https://hub.example.com/webhooks/x", headers=raw, body=body)


def signed(scheme, body: bytes, secret=SECRET, now=NOW) -> Request:
    return request(body, scheme.sign(body, secret, now=now).items())


def reason(call, *args, **named) -> str:
    """Give the SignatureError's reason, or `ok`; any other error is the test's failure."""
    try:
        call(*args, **named)
    except SignatureError as error:
        return error.reason
    return "ok"


# -- known values --------------------------------------------------------------------------------
def test_hmac_is_that_of_rfc_4231():
    # test case 2 of the RFC
    expected = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert schemes.hmac_hex(b"Jefe", b"what do ya want for nothing?") == expected
    raw = base64.b64encode(bytes.fromhex(expected.decode()))
    assert schemes.hmac_b64(b"Jefe", b"what do ya want for nothing?") == raw


def test_github_s_documented_example_passes():
    # docs.github.com, "Validating webhook deliveries"
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    sent = request(b"Hello, World!", [("S", signature)])
    secret = Secret("It's a Secret to Everybody")
    assert reason(HMACS["GitHub"].verify, sent, secret, now=NOW) == "ok"


def test_slack_s_template_is_time_and_body_behind_a_version():
    digest = hmac.new(SECRET.reveal(), b"v0:1700000000:a=b", hashlib.sha256).hexdigest()
    sent = request(b"a=b", [("S", f"v0={digest}"), ("T", STAMP)])
    assert reason(HMACS["Slack"].verify, sent, SECRET, now=NOW) == "ok"


def test_a_body_that_looks_like_a_template_is_only_a_body():
    scheme = HMACS["Slack"]
    body = b"{t}{body}"
    digest = hmac.new(SECRET.reveal(), b"v0:1700000000:{t}{body}", hashlib.sha256).hexdigest()
    sent = request(body, [("S", f"v0={digest}"), ("T", STAMP)])
    assert reason(scheme.verify, sent, SECRET, now=NOW) == "ok"


# -- time ----------------------------------------------------------------------------------------
TIMES = [
    # stamp, seconds our clock is ahead of it, verdict
    (STAMP, 0, "ok"),
    (STAMP, 300, "ok"),
    (STAMP, 301, "stale"),
    (STAMP, -300, "ok"),
    (STAMP, -301, "early"),
    (b"1700000000000", 0, "early"),  # milliseconds for seconds
    (b"1700000", 0, "stale"),
    (b"", 0, "malformed"),
    (b"1" * 17, 0, "malformed"),
    (b"1700000000\n", 0, "malformed"),
]


@pytest.mark.parametrize(("stamp", "ahead", "verdict"), TIMES)
def test_a_time_is_bounded_both_ways(stamp, ahead, verdict):
    assert reason(schemes.fresh, stamp, now=NOW + ahead) == verdict


@pytest.mark.parametrize("stamp", hostile.TIMES)
def test_only_digits_are_a_time(stamp):
    assert reason(schemes.fresh, stamp, now=NOW) != "ok"


def test_milliseconds_have_the_same_window():
    for ahead, verdict in ((0, "ok"), (299, "ok"), (301, "stale"), (-301, "early")):
        given_at = b"1700000000000"
        assert reason(schemes.fresh, given_at, now=NOW + ahead, unit=0.001) == verdict


# -- headers -------------------------------------------------------------------------------------
HEADERS = [
    # values sent, verdict
    ([], "missing"),
    ([b""], "missing"),
    ([b"   "], "missing"),
    ([b"x"], "ok"),
    ([b"x", b"x"], "malformed"),
    ([b"", b"x"], "missing"),
    ([b"a" * 8192], "ok"),
    ([b"a" * 8193], "malformed"),
    ([b"x\x00"], "malformed"),
    (["é".encode()], "malformed"),
    ([b"\xff"], "malformed"),
]


@pytest.mark.parametrize(("values", "verdict"), HEADERS)
def test_a_header_must_be_there_once_in_ascii(values, verdict):
    sent = request(b"", [("x-SIG", value) for value in values])
    assert reason(schemes.the_header, sent, "X-Sig") == verdict


def test_all_candidates_are_compared_up_to_ten():
    wrong = [b"0" * 64] * 9
    assert reason(schemes.matches, b"1" * 64, [*wrong, b"1" * 64]) == "ok"
    assert reason(schemes.matches, b"1" * 64, [*wrong, b"0", b"1" * 64]) == "too_many"
    assert reason(schemes.matches, b"1" * 64, []) == "missing"
    assert reason(schemes.matches, b"1" * 64, wrong) == "mismatch"


PAIRS = [
    (b"t=1,v1=ab", [(b"t", b"1"), (b"v1", b"ab")]),
    (b"a=b=c", [(b"a", b"b=c")]),
    (b"=x", [(b"", b"x")]),
    (b"t=1,", "malformed"),
    (b"", "malformed"),
    (b"t", "malformed"),
    (b",".join([b"a=b"] * 64), [(b"a", b"b")] * 64),
    (b",".join([b"a=b"] * 65), "too_many"),
]


@pytest.mark.parametrize(("text", "found"), PAIRS)
def test_pairs_are_split_strictly(text, found):
    if isinstance(found, str):
        assert reason(schemes.pairs, text) == found
    else:
        assert schemes.pairs(text) == found


@pytest.mark.parametrize("text", [b"a", b"YWJj\n", b"YW Jj", b"YWJ_", b"YWI", b"=", "é".encode()])
def test_base64_is_strict(text):
    assert reason(schemes.unbase64, text) == "malformed"


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \r\n"])
def test_a_blank_secret_is_refused_even_with_its_own_signature(blank):
    forged = request(b"{}", [("S", hmac.new(blank.encode(), b"{}", "sha256").hexdigest())])
    assert reason(HMACS["body, hex"].verify, forged, Secret(blank), now=NOW) == "unsupported"


# -- properties ----------------------------------------------------------------------------------
MANY = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.mark.parametrize("name", HMACS)
@MANY
@given(body=st.binary(max_size=300))
@example(body=b"")
def test_what_is_signed_verifies(name, body):
    scheme = HMACS[name]
    assert reason(scheme.verify, signed(scheme, body), SECRET, now=NOW) == "ok"


@pytest.mark.parametrize("name", HMACS)
@MANY
@given(body=st.binary(min_size=1, max_size=300), data=st.data())
def test_any_flipped_bit_is_refused(name, body, data):
    scheme = HMACS[name]
    good = signed(scheme, body)
    parts = [body, *(value for _, value in good.headers)]
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, len(parts[which]) * 8 - 1))
    flipped = bytearray(parts[which])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(flipped)
    names = [key for key, _ in good.headers]
    changed = request(parts[0], [(k.decode(), v) for k, v in zip(names, parts[1:], strict=True)])
    assert reason(scheme.verify, changed, SECRET, now=NOW) != "ok"


@pytest.mark.parametrize("name", HMACS)
@MANY
@given(other=st.binary(min_size=1, max_size=64))
def test_another_secret_is_refused(name, other):
    scheme = HMACS[name]
    if other != SECRET.reveal():
        assert reason(scheme.verify, signed(scheme, b"{}"), Secret(other), now=NOW) != "ok"


@pytest.mark.parametrize("name", HMACS)
@MANY
@given(values=st.lists(st.binary(max_size=200), max_size=3), body=st.binary(max_size=100))
def test_nothing_but_a_signature_error_leaves_whatever_is_sent(name, values, body):
    scheme = HMACS[name]
    sent = [(header, value) for value in values for header in ("S", "T")]
    assert reason(scheme.verify, request(body, sent), SECRET, now=NOW) != "ok"


@pytest.mark.parametrize("name", HMACS)
@pytest.mark.parametrize("what", hostile.headers(b"sha256=ab"))
def test_hostile_headers_are_refused(name, what):
    scheme = HMACS[name]
    for header, value in scheme.sign(b"{}", SECRET, now=NOW).items():
        others = [pair for pair in signed(scheme, b"{}").headers if pair[0] != header.encode()]
        bad = [(header, one) for one in hostile.headers(value.encode()).get(what, ())]
        sent = request(b"{}", [*((k.decode(), v) for k, v in others), *bad])
        assert reason(scheme.verify, sent, SECRET, now=NOW) != "ok"


# -- ECDSA ---------------------------------------------------------------------------------------
def der(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


PRIVATE = der(ec.derive_private_key(0x5EC12E7, ec.SECP256R1()))
PUBLIC = schemes.p256_public(PRIVATE)


@MANY
@given(message=st.binary(max_size=200), data=st.data())
def test_an_ecdsa_signature_holds_for_its_message_alone(message, data):
    signature = schemes.ecdsa_p256_sign(PRIVATE, message)
    assert reason(schemes.ecdsa_p256, PUBLIC, signature, message) == "ok"
    bit = data.draw(st.integers(0, len(signature) * 8 - 1))
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert reason(schemes.ecdsa_p256, PUBLIC, bytes(flipped), message) != "ok"
    assert reason(schemes.ecdsa_p256, PUBLIC, signature, message + b"\n") == "mismatch"


@MANY
@given(key=st.binary(max_size=120), signature=st.binary(max_size=80))
def test_only_signature_errors_leave_ecdsa(key, signature):
    assert reason(schemes.ecdsa_p256, key, signature, b"x") != "ok"
    assert reason(schemes.ecdsa_p256, PUBLIC, signature, b"x") != "ok"
    assert reason(schemes.ecdsa_p256_sign, key, b"x") == "unsupported"


@pytest.mark.parametrize("tail", [b"\x00", b"junk"])
def test_der_with_bytes_behind_it_is_refused(tail):
    signature = schemes.ecdsa_p256_sign(PRIVATE, b"x")
    assert reason(schemes.ecdsa_p256, PUBLIC, signature + tail, b"x") == "mismatch"


@pytest.mark.parametrize(
    "key",
    [
        ec.derive_private_key(7, ec.SECP384R1()),  # another curve
        ec.derive_private_key(7, ec.SECP256K1()),  # a like-sized one
        ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32),  # another algorithm
    ],
)
def test_only_p256_keys_are_taken(key):
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = schemes.ecdsa_p256_sign(PRIVATE, b"x")
    assert reason(schemes.ecdsa_p256, public, signature, b"x") == "unsupported"
    assert reason(schemes.p256_public, der(key)) == "unsupported"
