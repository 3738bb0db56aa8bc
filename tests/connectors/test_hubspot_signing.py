"""HubSpot's signatures: the vendor's vectors, the vendor's verifier, and hostile requests."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest
from hubspot.exceptions import InvalidSignatureTimestampError
from hubspot.utils.signature import Signature
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.hubspot import Hubspot, inbound
from hub import Request, Secret, SignatureError

URL = "https://hub.example.com/webhooks/hubspot"
SECRET = Secret("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "client")
NOW = 1_700_000_000.0
BODY = b'[{"eventId":1}]'


def connector(version="v3", url=URL):
    settings = Hubspot.Settings(access_token=Secret("pat-1"), signature=version)
    return Hubspot("hubspot", settings, None, url)


def request(headers, body=BODY, url=URL, method="POST"):
    raw = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return Request(method=method, url=url, headers=raw, body=body)


def v3(message, stamp="1700000000000", secret=SECRET):
    """Sign a whole message with code of our own, not the connector's."""
    mac = hmac.new(secret.reveal(), message + stamp.encode(), hashlib.sha256).digest()
    return {
        "X-HubSpot-Signature-v3": base64.b64encode(mac).decode(),
        "X-HubSpot-Request-Timestamp": stamp,
    }


def reason(request, version="v3", now=NOW, secret=SECRET):
    with pytest.raises(SignatureError) as caught:
        connector(version).verify(request, secret, now=now)
    return caught.value.reason


# -- the vendor's vectors ------------------------------------------------------------------------
def vectors():
    path = Path(inbound.__file__).parent / "fixtures" / "vectors.json"
    cases = json.loads(path.read_text())["cases"]
    return [case for case in cases if case["name"] in {"v1", "v2", "v3", "v1 docs array body"}]


def test_each_vendor_vector_passes_where_its_version_is_set_and_nowhere_else():
    cases = vectors()
    assert len(cases) == 4
    for case in cases:
        sent = request(case["headers"], case["body"].encode(), case["url"], case["method"])
        secret = Secret(case["secret"])
        for version in ("v1", "v2", "v3"):
            if case["name"].startswith(version):
                connector(version).verify(sent, secret, now=case["now"])
            else:
                assert reason(sent, version, case["now"], secret) in {"missing", "unsupported"}


# -- the URL -------------------------------------------------------------------------------------
ESCAPED = ":/?@!$'()*,;"


@pytest.mark.parametrize("character", ESCAPED)
@pytest.mark.parametrize("shape", [str.upper, str.lower])
def test_each_of_the_twelve_escapes_is_undone_in_either_case(character, shape):
    escape = shape(f"%{ord(character):02x}")
    url = f"{URL}?a={escape}{escape}b"
    plain = f"{URL}?a={character}{character}b".encode()
    connector().verify(request(v3(b"POST" + plain + BODY), url=url), SECRET, now=NOW)


@pytest.mark.parametrize("escape", ["%20", "%2B", "%3D", "%26", "%23", "%25", "%5B", "%C3%BC"])
def test_no_other_escape_is_undone(escape):
    url = f"{URL}?a={escape}"
    connector().verify(request(v3(b"POST" + url.encode() + BODY), url=url), SECRET, now=NOW)


def test_an_escaped_escape_is_undone_once():
    assert inbound.decoded("%252F") == b"%252F"
    assert inbound.decoded("%2%2F") == b"%2/"


OTHER_URLS = [
    # what an attacker or a proxy may change
    "http://hub.example.com/webhooks/hubspot",
    "https://hub.example.com:8443/webhooks/hubspot",
    "https://hub.example.com/webhooks/hubspot/",
    "https://hub.example.com//webhooks/hubspot",
    "https://hub.example.com/webhooks/../webhooks/hubspot",
    "https://HUB.example.com/webhooks/hubspot",
    "https://hub.example.com/webhooks/hubspot?",
    "https://hub.example.com/webhooks/hubspot?a=1",
    "https://evil.example.com/webhooks/hubspot",
]


@pytest.mark.parametrize("url", OTHER_URLS)
def test_another_url_is_refused(url):
    signed = connector().sign(BODY, SECRET, now=NOW)
    assert reason(request(signed, url=url)) == "mismatch"


def test_bytes_moved_from_the_url_leave_a_body_that_nobody_reads():
    # v3 puts no mark between URL and body. Our URL is configured, so that only what HubSpot signed
    # for a longer URL of the same app could be moved; it is kept then, but never an event.
    signed = v3(b"POST" + URL.encode() + b"_eu" + BODY)
    moved = request(signed, body=b"_eu" + BODY)
    connector().verify(moved, SECRET, now=NOW)
    with pytest.raises(ValueError, match="not JSON"):
        connector().parse(moved)


# -- hostile requests ----------------------------------------------------------------------------
SIGNED = connector().sign(BODY, SECRET, now=NOW)
SIG, TIME = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
V2 = connector("v2").sign(BODY, SECRET, now=NOW)

REFUSED = [
    # headers, reason
    ({}, "missing"),
    ({SIG: SIGNED[SIG]}, "missing"),  # no time
    ({TIME: SIGNED[TIME]}, "missing"),  # no signature
    (SIGNED | {TIME: "1700000000"}, "stale"),  # seconds, where milliseconds belong
    (SIGNED | {TIME: "1700000000000000"}, "early"),  # microseconds
    (SIGNED | {TIME: "".join(chr(0x660 + int(d)) for d in SIGNED[TIME])}, "malformed"),  # Arabic
    (SIGNED | {TIME: "1e12"}, "malformed"),
    (SIGNED | {TIME: "1_700_000_000_000"}, "malformed"),
    (SIGNED | {TIME: " 1700000000000"}, "malformed"),
    (SIGNED | {TIME: "1700000000001"}, "mismatch"),  # the time is signed
    (SIGNED | {SIG: SIGNED[SIG].rstrip("=")}, "mismatch"),
    (SIGNED | {SIG: SIGNED[SIG] + "\n"}, "mismatch"),
    (SIGNED | {SIG: "é"}, "malformed"),
    (SIGNED | {SIG: "a" * 65_536}, "malformed"),
    (V2, "missing"),  # no downgrade
    (V2 | {TIME: SIGNED[TIME], SIG: V2["X-HubSpot-Signature"]}, "mismatch"),
]


@pytest.mark.parametrize(("headers", "why"), REFUSED)
def test_a_hostile_header_is_refused(headers, why):
    assert reason(request(headers)) == why


OLD = [
    # headers on a v2 connector, reason
    (SIGNED, "missing"),
    (V2 | {"X-HubSpot-Signature-Version": "v1"}, "unsupported"),
    (V2 | {"X-HubSpot-Signature": V2["X-HubSpot-Signature"].upper()}, "mismatch"),
    ({"X-HubSpot-Signature": V2["X-HubSpot-Signature"]}, "missing"),
    (connector("v1").sign(BODY, SECRET, now=NOW), "unsupported"),
]


@pytest.mark.parametrize(("headers", "why"), OLD)
def test_a_connector_of_an_old_version_takes_that_version_only(headers, why):
    connector("v2").verify(request(V2), SECRET, now=NOW)
    assert reason(request(headers), "v2") == why


def test_a_blank_secret_is_refused():
    for blank in ("", " \n"):
        assert reason(request(SIGNED), secret=Secret(blank)) == "unsupported"


@given(
    method=st.text(max_size=8),
    url=st.text(),
    names=st.lists(st.sampled_from([SIG, TIME, "X-HubSpot-Signature"]), max_size=4),
    values=st.lists(st.binary(max_size=64), min_size=4, max_size=4),
    body=st.binary(),
)
@example("\udcff", "https://\ud800", [SIG, TIME], [b"AAAA", b"1700000000000", b"", b""], b"\xff")
def test_whatever_comes_only_a_signature_error_leaves(method, url, names, values, body):
    headers = tuple((n.encode(), v) for n, v in zip(names, values, strict=False))
    sent = Request(method=method, url=url, headers=headers, body=body)
    for version in ("v3", "v2", "v1"):
        with pytest.raises(SignatureError):
            connector(version).verify(sent, SECRET, now=NOW)


# -- the vendor's verifier -----------------------------------------------------------------------
SAFE = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
PLAIN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-._~=&", max_size=20)


def vendor_takes(headers, body, url, secret=SECRET, now=None):
    """Ask hubspot-api-client; it knows no other clock than the machine's."""
    return Signature.is_valid(
        signature=headers[SIG],
        client_secret=secret.text(),
        request_body=body,
        http_uri=url,
        signature_version="v3",
        timestamp=headers[TIME],
    )


@given(body=SAFE, query=PLAIN)
def test_the_vendor_takes_what_we_sign_and_we_take_what_the_vendor_signs(body, query):
    now, url = time.time(), f"{URL}?{query}"
    ours = connector(url=url).sign(body.encode(), SECRET, now=now)
    assert vendor_takes(ours, body, url)
    stamp = str(int(now * 1000))
    made = Signature.get_signature(SECRET.text(), body, "v3", url, "POST", stamp)
    theirs = {SIG: made, TIME: stamp}
    assert theirs == ours
    connector().verify(request(theirs, body.encode(), url), SECRET, now=now)


@given(body=SAFE, other=SAFE)
def test_both_refuse_another_body_and_another_secret(body, other):
    now = time.time()
    ours = connector().sign(body.encode(), SECRET, now=now)
    if body != other:
        assert not vendor_takes(ours, other, URL)
        assert reason(request(ours, other.encode()), now=now) == "mismatch"
    assert not vendor_takes(ours, body, URL, Secret("another"))
    assert reason(request(ours, body.encode()), now=now, secret=Secret("another")) == "mismatch"


def test_both_refuse_an_old_time():
    now = time.time()
    old = connector().sign(b"", SECRET, now=now - 302)
    assert reason(request(old, b""), now=now) == "stale"
    with pytest.raises(InvalidSignatureTimestampError):
        vendor_takes(old, "", URL)


# Where we differ from hubspot-api-client 12.0.0, on purpose, and that is all:
def test_difference_it_takes_a_time_in_the_future():
    now = time.time()
    ahead = connector().sign(b"", SECRET, now=now + 86_400)
    assert vendor_takes(ahead, "", URL)
    assert reason(request(ahead, b""), now=now) == "early"


def test_difference_it_undoes_no_escape_of_the_url():
    now, url = time.time(), URL + "?at=%40"
    ours = connector(url=url).sign(b"", SECRET, now=now)
    connector().verify(request(ours, b"", url), SECRET, now=now)
    assert not vendor_takes(ours, "", url)
    assert vendor_takes(ours, "", inbound.decoded(url).decode())


def test_difference_it_hashes_bytes_as_their_python_text():
    now = time.time()
    ours = connector().sign(b"abc", SECRET, now=now)
    assert not vendor_takes(ours, b"abc", URL)
    assert vendor_takes(connector().sign(b"b'abc'", SECRET, now=now), b"abc", URL)


@pytest.mark.parametrize("bad", [None, "é"])
def test_difference_it_raises_on_a_hostile_signature(bad):
    stamp = str(int(time.time() * 1000))
    with pytest.raises(TypeError):
        vendor_takes({SIG: bad, TIME: stamp}, "", URL)
    headers = {TIME: stamp} | ({SIG: bad} if bad else {})
    assert reason(request(headers), now=time.time()) in {"missing", "malformed"}


def test_difference_its_default_is_the_version_without_a_time():
    made = Signature.get_signature(SECRET.text(), "", "v2", URL, "POST")
    assert Signature.is_valid(made, SECRET.text(), "", URL)
    headers = {"X-HubSpot-Signature": made, "X-HubSpot-Signature-Version": "v2"}
    assert reason(request(headers, b"")) == "missing"
