"""Whatever a verifier is sent: the good request passes, all else is a SignatureError.

One table of hostile inputs, played on every scheme of the library and of the connectors.
"""

import base64
import random
from dataclasses import replace

import pytest

from hub import Secret, SignatureError, write_json
from hub.testing import hostile
from tests.webhooks.samples import (
    FORM,
    HOST,
    ITEM,
    NOW,
    OTHER_KEY,
    PAYPAL,
    RSA_KEY,
    SAMPLES,
    SID,
    certificate,
    changed,
    pem,
)
from webhooks import schemes
from webhooks.library import SCHEMES

BY_NAME = {sample.name: sample for sample in SAMPLES}
FLIPS = 200


def verdict(sample, request, *, secret=None, at=0.0) -> str:
    """Give `ok` or the SignatureError's reason; any other error is the test's failure."""
    try:
        sample.verify(request, secret or sample.secret, now=NOW + at)
    except SignatureError as error:
        return error.reason
    return "ok"


def flips(data: bytes):
    """Yield copies of the data with one bit flipped: all, or a fixed sample."""
    every = range(len(data) * 8)
    chosen = every if len(every) <= FLIPS else random.Random(1).sample(every, FLIPS)
    for spot in chosen:
        at, bit = divmod(spot, 8)
        yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


every = pytest.mark.parametrize("sample", SAMPLES, ids=str)
signed_body = [s for s in SAMPLES if s.signing.covers == "body" or s.name == "twilio"]
signed_url = [s for s in SAMPLES if s.signing.url or "?" in s.request.url or s.name == "hmac"]
timed = [s for s in SAMPLES if s.signing.window or s.name.startswith("hmac")]
headed = pytest.mark.parametrize(
    ("sample", "name"),
    [pytest.param(s, name, id=f"{s}, {name}") for s in SAMPLES for name in s.headers],
)


def test_every_scheme_has_a_sample():
    assert {sample.name.partition(",")[0].partition(" ")[0] for sample in SAMPLES} >= set(SCHEMES)


@every
def test_the_good_request_passes(sample):
    assert verdict(sample, sample.request) == "ok"


# -- bits ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", signed_body, ids=str)
def test_any_flipped_bit_of_the_body_is_refused_or_changes_nothing_believed(sample):
    meant = sample.meaning(sample.request)
    for body in flips(sample.request.body):
        request = sample.request.with_body(body)
        if sample.meaning(request) != meant:
            assert verdict(sample, request) != "ok", body


@headed
def test_any_flipped_bit_of_a_header_is_refused(sample, name):
    value = sample.headers[name]
    for new in flips(value):
        if name != "PAYPAL-CERT-URL" or not new.startswith(b"https://api.paypal.com/"):
            assert verdict(sample, changed(sample.request, name, new)) != "ok", new


@pytest.mark.parametrize("sample", signed_url, ids=str)
def test_any_flipped_bit_of_a_signed_url_is_refused(sample):
    for url in flips(sample.request.url.encode()):
        request = replace(sample.request, url=url.decode("utf-8", "surrogateescape"))
        believed = sample.signing.url or sample.meaning(request) != sample.meaning(sample.request)
        path = url.partition(b"?")[0] != sample.request.url.encode().partition(b"?")[0]
        if believed and not (path and sample.name in ("mollie_classic", "token")):
            assert verdict(sample, request) != "ok", url


# -- headers ---------------------------------------------------------------------------------------
@headed
def test_without_a_header_the_request_is_refused(sample, name):
    assert verdict(sample, changed(sample.request, name)) == "missing"


@headed
@pytest.mark.parametrize("what", hostile.headers(b"sha256=ab"))
def test_a_hostile_header_is_refused(sample, name, what):
    value = sample.headers[name]
    sent = hostile.headers(value).get(what, ())
    if name == "X-Mollie-Signature" and any(one == value for one in sent):
        return  # Mollie sends it once for each secret
    if name == "PAYPAL-CERT-URL" and all(
        one.startswith(b"https://api.paypal.com/") for one in sent
    ):
        return  # any page of PayPal's may hold its certificate
    if sent:
        assert verdict(sample, changed(sample.request, name, *sent)) != "ok"


@headed
def test_no_more_than_ten_signatures_are_looked_at(sample, name):
    if name == "PAYPAL-CERT-URL":
        return  # it is no signature: any page of PayPal's may be named
    value = sample.headers[name]
    for separator in (b",", b" ", b";"):
        for count in (11, 1000):
            sent = changed(sample.request, name, separator.join([value] * count))
            assert verdict(sample, sent) != "ok"
    assert verdict(sample, changed(sample.request, name, *[value] * 11)) != "ok"


# -- time ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", timed, ids=str)
def test_a_signed_time_is_bounded_both_ways_to_the_second(sample):
    past, future = sample.signing.window or (300, 300)
    assert verdict(sample, sample.request, at=past) == "ok"
    assert verdict(sample, sample.request, at=past + 1) == "stale"
    assert verdict(sample, sample.request, at=-future) == "ok"
    assert verdict(sample, sample.request, at=-future - 1) == "early"


@headed
@pytest.mark.parametrize("bad", hostile.TIMES)
def test_only_plain_digits_are_a_time(sample, name, bad):
    for stamp in (b"1700000000000", b"1700000000"):
        if stamp in sample.headers[name]:
            value = sample.headers[name].replace(stamp, bad)
            assert verdict(sample, changed(sample.request, name, value)) != "ok"
            return


# -- secrets ---------------------------------------------------------------------------------------
SECRETS = ["", " ", "\n", "x", "é" * 20, "whsec_", "whsec_!", "whpk_AAAA", "whsk_AAAA", "00" * 32,
           "user:", "-----BEGIN CERTIFICATE-----"]  # fmt: skip


@every
def test_under_another_secret_it_is_refused(sample):
    for secret in [sample.other, *(Secret(text, "odd") for text in SECRETS)]:
        assert verdict(sample, sample.request, secret=secret) != "ok", secret.reveal()


# -- bodies ----------------------------------------------------------------------------------------
BODIES = {
    "empty": b"",
    "one byte": b"{",
    "not UTF-8": b"\xff\xfe{}",
    "NUL": b"\x00",
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 20,
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a number past all measure": b"1e999999999999999999999",
    "65 levels": b"[" * 65 + b"]" * 65,
    "100,000 levels": b'{"a":' * 100_000,
    "half a surrogate pair": b'{"signature":{"timestamp":"\\ud800","token":"x","signature":"x"}}',
    "a huge number": b'{"signature":{"timestamp":1' + b"0" * 5000 + b',"token":1,"signature":1}}',
    "a form of 10,000 parameters": b"&".join([b"a=b"] * 10_000),
    "a form that is not UTF-8": b"mandrill_events=%ff%fe",
    "a form of odd escapes": b"mandrill_events=%zz%&%=%",
    "items that are none": b'{"notificationItems":[1,null,{"NotificationRequestItem":[]}]}',
    "no items": b'{"notificationItems":[]}',
    "an item of odd kinds": b'{"notificationItems":[{"NotificationRequestItem":{"amount":[],'
    b'"additionalData":{"hmacSignature":"\\ud800"},"pspReference":{},"success":1}}]}',
}  # fmt: skip


@every
@pytest.mark.parametrize("what", BODIES)
def test_a_hostile_body_is_refused_in_peace(sample, what):
    unsigned = sample.name in ("basic", "postmark", "token", "mollie_classic")
    assert (verdict(sample, sample.request.with_body(BODIES[what])) == "ok") is unsigned


@every
def test_a_body_of_other_bytes_is_refused(sample):
    body = sample.request.body
    others = [
        body + b"\r\n",
        b"\xef\xbb\xbf" + body,
        body[:-1],
        body + b" ",
        body.replace(b":", b": "),
    ]
    for other in others:
        request = sample.request.with_body(other)
        if not sample.loose and sample.meaning(request) != sample.meaning(sample.request):
            assert verdict(sample, request) != "ok", other


URLS = [
    "http://hub.example.com/webhooks/{}", "https://hub.example.com:8443/webhooks/{}",
    "https://hub.example.com/webhooks/{}/", "https://evil.example/webhooks/{}",
    "https://hub.example.com//webhooks/{}", "https://hub.example.com/webhooks/../webhooks/{}",
    "https://hub.example.com/webhooks/{}?", "https://hub.example.com/webhooks/{}?a=1",
    "https://hub.example.com/%77ebhooks/{}", "https://hub.example.com/webhooks/{}#x",
    "https://hub.example.com/webhooks/{}?\udcff", "https://hub.example.com/webhooks/{}?\ud800",
    "not a URL", "", "https://[/",
]  # fmt: skip


@every
@pytest.mark.parametrize("url", URLS)
def test_another_url_is_refused_where_it_is_signed(sample, url):
    path, _, query = sample.request.url.removeprefix(HOST).partition("?")
    there = url.format(path) + (f"?{query}" if query and "?" not in url else "")
    seen = verdict(sample, replace(sample.request, url=there))
    if sample.signing.url or sample.name == "hmac":
        either = ":8443" in url and "twilio" in sample.name  # Twilio signs with the port or without
        assert (seen == "ok") is either
    elif sample.name not in ("token", "mollie_classic"):
        assert seen == "ok"


# -- boundary shifts -------------------------------------------------------------------------------
def test_no_digit_moves_between_time_and_body():
    for name, header in (
        ("klaviyo", "Klaviyo-Timestamp"),
        ("sendgrid", "X-Twilio-Email-Event-Webhook-Timestamp"),
    ):
        sample = BY_NAME[name]
        stamp, body = sample.headers[header], sample.request.body
        shifts = {
            "klaviyo": [(stamp[1:], body + stamp[:1]), (body[-1:] + stamp, body[:-1])],
            "sendgrid": [(stamp[:-1], stamp[-1:] + body), (stamp + body[:1], body[1:])],
        }
        for moved, rest in shifts[name]:
            request = changed(sample.request, header, moved).with_body(rest)
            assert verdict(sample, request, at=0) != "ok"


def test_no_colon_moves_between_an_item_s_fields():
    signer = SCHEMES["adyen"].signer(merchant_account="Shop")
    sample = BY_NAME["adyen"]
    good = sample.request.json()["notificationItems"][0]["NotificationRequestItem"]
    shifts = [
        # the same bytes are signed, otherwise divided
        good | {"pspReference": f"{good['pspReference']}:", "merchantAccountCode": "Shop"},
        good | {"merchantReference": "order", "amount": {"value": "1:1130", "currency": "EUR"}},
        good | {"merchantReference": "order:1:1130", "amount": {"value": "EUR", "currency": ""}},
        good | {"originalReference": "Shop:order", "merchantReference": "1"},
        good | {"eventCode": "AUTHORISATION:true", "success": ""},
        good | {"amount": {"value": 1130, "currency": "EUR:AUTHORISATION"}, "eventCode": "true"},
    ]
    for item in shifts:
        body = {"notificationItems": [{"NotificationRequestItem": item}]}
        request = sample.request.with_body(write_json(body))
        with pytest.raises(SignatureError):
            signer.verify(request, sample.secret, now=NOW)


def test_one_forged_item_damns_the_batch():
    sample = BY_NAME["adyen"]
    good = sample.request.json()["notificationItems"]
    unsigned = {"NotificationRequestItem": ITEM}
    forged = {"NotificationRequestItem": good[0]["NotificationRequestItem"] | {"success": "false"}}
    foreign = {"NotificationRequestItem": good[0]["NotificationRequestItem"]
               | {"merchantAccountCode": "Other"}}  # fmt: skip
    for bad in (unsigned, forged, foreign):
        for items in ([good[0], bad], [bad, good[0]], [*good, bad]):
            body = write_json({"notificationItems": items})
            assert verdict(sample, sample.request.with_body(body)) in ("mismatch", "missing")
    for count, seen in ((100, "ok"), (101, "too_many")):
        body = write_json({"notificationItems": [good[0]] * count})
        assert verdict(sample, sample.request.with_body(body)) == seen


TWILIO = [
    # all sign the same text
    FORM.replace(b"&Body=hello&From=%2B14158675309", b"&Bodyhello=From%2B14158675309"),
    f"AccountSid{SID}Body".encode() + b"=helloFrom%2B14158675309MessageSidSM1To%2B18005551212",
    # a parameter sent twice is signed once
    FORM + b"&Body=hello",
    # another account
    FORM.replace(SID.encode(), b"AC" + b"f" * 32),
]


@pytest.mark.parametrize("body", TWILIO)
def test_twilio_s_parameters_do_not_run_together(body):
    sample = BY_NAME["twilio"]
    request = sample.request.with_body(body)
    signer = SCHEMES["twilio"].signer(account_sid=SID)
    seen = verdict(sample, request)
    unread = [name for name, _ in schemes.form(body) if not signer.reads(name)]
    assert seen != "ok" or unread


def test_the_algorithm_of_twilio_is_ours_to_say():
    strong = SCHEMES["twilio"].signer(account_sid=SID, algorithm="sha256")
    sample = BY_NAME["twilio"]  # signed with SHA-1
    with pytest.raises(SignatureError):
        strong.verify(sample.request, sample.secret, now=NOW)


def test_the_head_of_a_body_does_not_hide_in_the_query():
    for name in ("square", "mandrill"):
        sample = BY_NAME[name]
        for cut in range(1, len(sample.request.body)):
            head, rest = sample.request.body[:cut].decode(), sample.request.body[cut:]
            for url in (f"{sample.request.url}{head}", f"{sample.request.url}?{head}"):
                assert verdict(sample, replace(sample.request, url=url, body=rest)) != "ok"


def test_a_weaker_header_beside_a_bad_one_changes_nothing():
    github, intercom = BY_NAME["github"], BY_NAME["intercom"]
    old = intercom.headers["X-Hub-Signature"]
    bad = changed(github.request, "X-Hub-Signature-256", b"sha256=" + b"0" * 64)
    assert verdict(github, changed(bad, "X-Hub-Signature", old)) == "mismatch"
    assert verdict(github, changed(bad, "X-Hub-Signature-256")) == "missing"
    assert verdict(BY_NAME["mollie"], changed(BY_NAME["mollie"].request, "X-Mollie-Signature")) == (
        "missing"
    )


# -- certificates ----------------------------------------------------------------------------------
CERT_URLS = [
    "https://api.paypal.com@evil.example/c", "https://api.paypal.com.evil.example/c",
    "https://evil.example/api.paypal.com", "https://api.paypal.com:8443/c",
    "http://api.paypal.com/c", "https://API.paypal.com/c", "https://api.paypal.com./c",
    "https://127.0.0.1/c", "https://[::1]/c", "HTTPS://api.paypal.com/c",
    "https://api.paypal.com\\@evil.example/c", "https://api.paypal.com#@evil.example",
    "https:/api.paypal.com/c", "//api.paypal.com/c", "https://api.paypal.com/../c", "https://",
    "https://api.paypal.com /c", "https://api.sandbox.paypal.com/c", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("url", CERT_URLS)
def test_a_certificate_comes_from_paypal_alone(url):
    sample = BY_NAME["paypal"]
    assert verdict(sample, changed(sample.request, "PAYPAL-CERT-URL", url.encode())) != "ok"


def test_a_certificate_must_be_in_date_and_bear_the_name():
    sample = BY_NAME["paypal"]
    for found in (
        certificate(PAYPAL, RSA_KEY, start=-10),  # run out
        certificate(PAYPAL, RSA_KEY, start=1),  # not yet
        certificate("evil.example", RSA_KEY),
        certificate(f"{PAYPAL}.evil.example", RSA_KEY),
        certificate("api.paypal.com", RSA_KEY),
    ):
        assert verdict(sample, sample.request, secret=Secret(pem(found))) == "unsupported"


def test_a_chain_must_end_at_one_of_our_roots():
    root = certificate("root.example", OTHER_KEY, ca=True)
    leaf = pem(certificate(PAYPAL, RSA_KEY, by=(root, OTHER_KEY))).encode()
    ours, strange = pem(root).encode(), pem(certificate("other", RSA_KEY, ca=True)).encode()
    schemes.chain(leaf, ours, now=NOW, name=PAYPAL)
    for text, roots, name, at in (
        (leaf, strange, PAYPAL, NOW),
        (leaf, b"", PAYPAL, NOW),
        (leaf, b"junk", PAYPAL, NOW),
        (b"junk", ours, PAYPAL, NOW),
        (leaf, ours, "evil.example", NOW),
        (leaf, ours, "not a name", NOW),
        (leaf, ours, PAYPAL, NOW + 30 * 86_400),
        (leaf, ours, PAYPAL, 1e30),
        (pem(certificate(PAYPAL, RSA_KEY)).encode(), ours, PAYPAL, NOW),  # signed by itself
    ):
        with pytest.raises(SignatureError, match="unsupported"):
            schemes.chain(text, roots, now=at, name=name)


# -- Standard Webhooks -----------------------------------------------------------------------------
def test_the_kind_of_secret_says_which_version_counts():
    hmac, key = BY_NAME["standard_webhooks"], BY_NAME["standard_webhooks v1a"]
    assert verdict(hmac, hmac.request, secret=key.secret) == "unsupported"
    assert verdict(key, key.request, secret=hmac.secret) == "unsupported"


def test_base64_has_one_spelling():
    sample = BY_NAME["standard_webhooks v1a"]
    value = sample.headers["webhook-signature"]
    for other in (value.replace(b"=", b""), value + b"=", value + b"\n", value.replace(b"/", b"_")):
        if other != value:
            assert verdict(sample, changed(sample.request, "webhook-signature", other)) != "ok"
    raw = base64.b64decode(value.removeprefix(b"v1a,"))
    assert base64.b64encode(raw) == value.removeprefix(b"v1a,")
