"""The Event Webhook's signature: vectors, the vendor's verifier beside ours, hostile input."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

import connectors.sendgrid
from connectors.sendgrid import SendGrid
from connectors.sendgrid.signing import SIGNATURE, TIMESTAMP
from hub import Request, Secret, SignatureError, schemes

FIXTURES = Path(connectors.sendgrid.__file__).parent / "fixtures"
VECTORS = json.loads((FIXTURES / "vectors.json").read_text())["cases"]
relaxed = settings(deadline=None)  # the machine may be busy
NOW = 1_700_000_000.0
BODY = b'[{"email":"a@b.example","event":"delivered","timestamp":1699999999}]\r\n'
PRIVATE, OTHER_PRIVATE = map(
    Secret, json.loads((FIXTURES / "settings.json").read_text())["secrets"]
)
SENDGRID = SendGrid("mails", None, None)


def public(private):
    """Give the public half, as SendGrid shows it to an admin."""
    return Secret(base64.b64encode(schemes.p256_public(base64.b64decode(private.reveal()))))


PUBLIC, OTHER_PUBLIC = public(PRIVATE), public(OTHER_PRIVATE)


def asked(headers, body=BODY):
    raw = tuple((name.encode(), value) for name, value in headers)
    return Request(method="POST", url="https://hub.example.com/w", headers=raw, body=body)


def ours(headers, body=BODY, *, secret=PUBLIC, now=NOW):
    """Give the verdict as one word."""
    try:
        SENDGRID.verify(asked(headers, body), secret, now=now)
    except SignatureError as error:
        return error.reason
    return "ok"


def signed(body=BODY, *, secret=PRIVATE, at=NOW, signature=None, stamp=None):
    """Give the two headers, either one replaced by other bytes."""
    made = {k: v.encode() for k, v in SENDGRID.sign(body, secret, now=at).items()}
    return [
        (SIGNATURE, made[SIGNATURE] if signature is None else signature),
        (TIMESTAMP, made[TIMESTAMP] if stamp is None else stamp),
    ]


def theirs(headers, body=BODY, key=None):
    """Ask sendgrid's own verifier; an escaping exception gives its class's name."""
    found = {name: value.decode() for name, value in headers}
    verifier = EventWebhook(key or PUBLIC.text())
    try:
        good = verifier.verify_signature(body.decode(), found[SIGNATURE], found[TIMESTAMP])
    except Exception as error:  # noqa: BLE001 -- whatever it is, its name is the verdict
        return type(error).__name__
    return "ok" if good else "mismatch"


# -- vectors -------------------------------------------------------------------------------------
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_gives_what_its_file_says(vector):
    headers = [(name, value.encode()) for name, value in vector["headers"].items()]
    found = ours(
        headers, vector["body"].encode(), secret=Secret(vector["secret"]), now=vector["now"]
    )
    assert found == vector["expected"]


def test_the_vendor_agrees_with_its_vectors():
    own = [case for case in VECTORS if "note" not in case and "ahead" not in case["name"]]
    assert len(own) == 6
    for case in own:
        headers = [(name, value.encode()) for name, value in case["headers"].items()]
        verdict = theirs(headers, case["body"].encode(), case["secret"])
        assert (verdict == "ok") == (case["expected"] == "ok"), case["name"]


# -- sign and verify -----------------------------------------------------------------------------
@relaxed
@given(st.binary(max_size=200))
def test_what_is_signed_verifies_with_either_half_of_the_key(body):
    headers = signed(body)
    assert ours(headers, body) == "ok"
    assert ours(headers, body, secret=PRIVATE) == "ok"


@relaxed
@given(st.text(max_size=200))
def test_the_vendor_accepts_what_we_sign(text):
    body = text.encode()
    assert theirs(signed(body), body) == "ok"


@relaxed
@given(st.data())
def test_one_flipped_bit_anywhere_is_refused(data):
    headers = signed()
    parts = [BODY, headers[0][1], headers[1][1]]
    where = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(parts[where]) * 8 - 1))
    spoiled = bytearray(parts[where])
    spoiled[at // 8] ^= 1 << at % 8
    parts[where] = bytes(spoiled)
    body, signature, stamp = parts
    assert ours([(SIGNATURE, signature), (TIMESTAMP, stamp)], body) != "ok"


def test_every_other_spelling_of_the_last_base64_character_is_refused():
    # 71 bytes leave spare bits in the last character: a lenient decoder reads four as one
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for number in range(50):
        body = b"%d" % number
        headers = signed(body)
        text = headers[0][1]
        if text.endswith(b"=") and not text.endswith(b"=="):
            break
    accepted = [
        char
        for char in alphabet
        if ours([(SIGNATURE, text[:-2] + bytes([char]) + b"="), headers[1]], body) == "ok"
    ]
    assert accepted == [text[-2]]


@pytest.mark.parametrize("key", [PUBLIC, Secret("not a key"), Secret("")])
def test_without_a_private_key_nothing_is_signed(key):
    with pytest.raises(SignatureError, match="unsupported"):
        SENDGRID.sign(BODY, key, now=NOW)


# -- hostile input -------------------------------------------------------------------------------
GOOD = signed()
SIG, STAMP = GOOD[0][1], GOOD[1][1]
DER = base64.b64decode(SIG)


def key_text(key):
    der = serialization.Encoding.DER
    return base64.b64encode(
        key.public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()


P384 = ec.generate_private_key(ec.SECP384R1())
P384_PUBLIC = Secret(key_text(P384.public_key()))
P384_SIG = base64.b64encode(P384.sign(STAMP + BODY, ec.ECDSA(hashes.SHA256())))
SHA1_SIG = base64.b64encode(
    serialization.load_der_private_key(base64.b64decode(PRIVATE.reveal()), None).sign(
        STAMP + BODY, ec.ECDSA(hashes.SHA1())
    )
)

HEADERS = [  # headers, reason
    ([], "missing"),
    ([(TIMESTAMP, STAMP)], "missing"),
    ([(SIGNATURE, SIG)], "missing"),
    ([(SIGNATURE, b""), (TIMESTAMP, STAMP)], "missing"),
    ([(SIGNATURE, b"   "), (TIMESTAMP, STAMP)], "missing"),
    ([(SIGNATURE, SIG), (SIGNATURE, SIG), (TIMESTAMP, STAMP)], "malformed"),
    ([(SIGNATURE, SIG), (TIMESTAMP, STAMP), (TIMESTAMP, STAMP)], "malformed"),
    ([("X-Signature", SIG), ("X-Timestamp", STAMP)], "missing"),
]
SIGNATURES = [  # signature, reason
    (b"A" * 65_536, "malformed"),
    (b"\x00" * 96, "malformed"),
    ("ü".encode() * 48, "malformed"),
    (b"\xff\xfe" * 48, "malformed"),
    (SIG + b"\n", "malformed"),
    (b" " + SIG, "malformed"),
    (SIG.rstrip(b"="), "malformed") if SIG.endswith(b"=") else (SIG[:-1], "malformed"),
    (SIG[:20] + b"!" + SIG[20:], "malformed"),
    (SIG.replace(b"/", b"_").replace(b"+", b"-") + b"-", "malformed"),
    (DER.hex().encode()[:140], "mismatch"),
    (base64.b64encode(DER[:-1]), "mismatch"),
    (base64.b64encode(DER + b"\x00"), "mismatch"),
    (base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x00"), "mismatch"),  # r = s = 0
    (base64.b64encode(b""), "missing"),
    (SIG + b"," + SIG, "malformed"),
    (signed(b"[]")[0][1], "mismatch"),
    (signed(secret=OTHER_PRIVATE)[0][1], "mismatch"),
    (P384_SIG, "mismatch"),
    (SHA1_SIG, "mismatch"),
]
TIMES = [  # timestamp, reason
    (b"", "missing"),
    (b"abc", "malformed"),
    (b"timestamp!", "malformed"),
    (b"-170000000", "malformed"),
    (b"+170000000", "malformed"),
    (b"1_70000000", "malformed"),
    (b" 170000000", "malformed"),
    (b"170000000 ", "malformed"),
    (b"1700000e00", "malformed"),
    (b"170000000.", "malformed"),
    (b"NaN", "malformed"),
    (b"inf", "malformed"),
    ("\u0661\u0667\u0660\u0660\u0660".encode(), "malformed"),
    (b"17000000000", "malformed"),
    (b"1700000000000", "malformed"),
    (b"170000000", "malformed"),
    (b"1" * 31, "malformed"),
    (b"0000000000", "stale"),
    (b"9999999999", "early"),
    (b"1700000001", "mismatch"),
]


@pytest.mark.parametrize(("headers", "reason"), HEADERS)
def test_headers_of_another_shape_are_refused(headers, reason):
    assert ours(headers) == reason


@pytest.mark.parametrize(("signature", "reason"), SIGNATURES, ids=range(len(SIGNATURES)))
def test_another_signature_is_refused(signature, reason):
    assert ours(signed(signature=signature)) == reason


@pytest.mark.parametrize(("stamp", "reason"), TIMES)
def test_another_time_is_refused(stamp, reason):
    assert ours(signed(stamp=stamp)) == reason


BODIES = [
    b"",
    BODY.rstrip(),
    BODY.replace(b"\r\n", b"\n"),
    BODY + b"\r\n",
    b"\xef\xbb\xbf" + BODY,
    json.dumps(json.loads(BODY)).encode() + b"\r\n",
    BODY + b"\x00",
    b"\xff" + BODY,
]


@pytest.mark.parametrize("body", BODIES)
def test_another_body_is_refused(body):
    assert ours(GOOD, body) == "mismatch"


def test_no_digit_moves_between_time_and_body():
    body = b"1[]"
    signature = signed(body)[0][1]
    shifted = [(SIGNATURE, signature), (TIMESTAMP, STAMP + b"1")]
    assert theirs(shifted, b"[]") == "ok"
    assert ours(shifted, b"[]") == "malformed"
    shifted = [(SIGNATURE, signed(b"[]")[0][1]), (TIMESTAMP, STAMP[:-1])]
    assert theirs(shifted, STAMP[-1:] + b"[]") == "ok"
    assert ours(shifted, STAMP[-1:] + b"[]") == "malformed"


KEYS = [  # secret, reason
    (OTHER_PUBLIC, "mismatch"),
    (OTHER_PRIVATE, "mismatch"),
    (Secret(""), "unsupported"),
    (Secret(" \n"), "unsupported"),
    (Secret("shared-secret"), "unsupported"),
    (Secret(base64.b64encode(b"no key at all").decode()), "unsupported"),
    (Secret(b"\xff\xfe"), "unsupported"),
    (P384_PUBLIC, "unsupported"),
    (Secret(PUBLIC.text() + "\n"), "ok"),  # read from a file
]


@pytest.mark.parametrize(("secret", "reason"), KEYS)
def test_only_a_p256_key_that_fits_verifies(secret, reason):
    assert ours(GOOD, secret=secret) == reason


AGES = [(0, "ok"), (90_000, "ok"), (90_001, "stale"), (-300, "ok"), (-301, "early")]


@pytest.mark.parametrize(("age", "verdict"), AGES)
def test_the_window_is_25_hours_back_and_300_seconds_ahead(age, verdict):
    assert ours(GOOD, now=NOW + age) == verdict


# -- the vendor's verifier beside ours -----------------------------------------------------------
LENIENT = SIG[:20] + b"!" + SIG[20:]
LISTED = [  # what is known to differ: headers, now, ours, theirs
    ("any age", GOOD, NOW + 90_001, "stale", "ok"),
    ("any time ahead", GOOD, NOW - 301, "early", "ok"),
    ("lenient base64", signed(signature=LENIENT), NOW, "malformed", "ok"),
    ("a newline after the signature", signed(signature=SIG + b"\n"), NOW, "malformed", "ok"),
    ("no padding", signed(signature=b"A"), NOW, "malformed", "Error"),
    ("empty signature", signed(signature=b""), NOW, "missing", "mismatch"),
]


@pytest.mark.parametrize(("headers", "now", "we", "they"), [row[1:] for row in LISTED])
def test_a_listed_difference_is_as_listed(headers, now, we, they):
    assert (ours(headers, now=now), theirs(headers)) == (we, they)


@relaxed
@given(
    body=st.sampled_from([BODY, b"[]", b"", BODY.rstrip()]),
    made_for=st.sampled_from([BODY, b"[]", b""]),
    key=st.sampled_from([PRIVATE, OTHER_PRIVATE]),
    shift=st.integers(-300, 90_000),
    spoil=st.none() | st.integers(0, 60),
)
def test_inside_the_window_both_verifiers_agree_on_well_formed_input(
    body, made_for, key, shift, spoil
):
    headers = signed(made_for, secret=key, at=NOW - shift)
    if spoil is not None:
        der = bytearray(base64.b64decode(headers[0][1]))
        der[spoil] ^= 1
        headers[0] = (SIGNATURE, base64.b64encode(bytes(der)))
    assert (ours(headers, body) == "ok") == (theirs(headers, body) == "ok")


@relaxed
@given(st.binary(max_size=120), st.binary(max_size=20), st.binary(max_size=40), st.binary())
def test_nothing_but_a_signature_error_leaves_the_verifier(signature, stamp, key, body):
    headers = [(SIGNATURE, signature), (TIMESTAMP, stamp)]
    assert ours(headers, body, secret=Secret(key)) != "ok"
    assert ours(headers, body) != "ok"
