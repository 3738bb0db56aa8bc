"""Our verdicts beside those of the vendors' own verifiers, with every difference named.

Stripe's, HubSpot's and SendGrid's stand beside ours in their connectors' tests. Differences are
those in which a vendor's verifier accepts too much or raises what it should not.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest
from standardwebhooks import webhooks as standardwebhooks

from hub import Request, SignatureError, read_json, write_json
from tests.webhooks import fuzz
from tests.webhooks.samples import FORM, HOST, ITEM, JSON, NOW, SAMPLES, SID, changed
from tests.webhooks.vendors import VENDORS, alone
from webhooks.library import SCHEMES
from webhooks.schemes import Hmac, hmac_hex
from webhooks.signers import with_headers

BY_NAME = {sample.name: sample for sample in SAMPLES}
ROUNDS = 3000


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """Let the one verifier whose clock cannot be handed in believe that it is NOW."""
    real = standardwebhooks.datetime

    class Now(real):
        @classmethod
        def now(cls, tz=None):
            return real.fromtimestamp(NOW, tz)

    monkeypatch.setattr(standardwebhooks, "datetime", Now)


def verdicts(name, seed):
    """Yield changed requests with our verdict and theirs: yes, no, or the exception's name."""
    sample, vendor, chance = BY_NAME[name], VENDORS[name], random.Random(seed)
    for _ in range(ROUNDS):
        request = chance.choice(fuzz.CHANGES)(sample.request, chance)
        names = [key.lower() for key, _ in request.headers]
        if len(set(names)) != len(names):
            continue  # sent twice: their callers give them one of the two
        yield request, ours(sample, request), theirs(vendor, sample, request)


def ours(sample, request):
    try:
        sample.verify(request, sample.secret, now=NOW)
    except SignatureError:
        return "no"
    return "yes"


def theirs(vendor, sample, request):
    try:
        return "yes" if vendor.ask(request, sample.secret) else "no"
    except Exception as error:  # noqa: BLE001 -- what escapes from them is no yes
        return type(error).__name__


# -- what a vendor's verifier takes and ours does not ---------------------------------------------
def signed(name, body=JSON, *, at=NOW, **settings):
    """Sign a body as the provider would, with the sample's secret."""
    bare = Request(method="POST", url=HOST + name, headers=(), body=body)
    return SCHEMES[name].signer(**settings).sign(bare, BY_NAME[name].secret, now=at)


def items(*given, account="Shop"):
    body = write_json({"notificationItems": [{"NotificationRequestItem": one} for one in given]})
    return signed("adyen", body, merchant_account=account)


def shouting():
    """Sign an item whose fields have no sane form, as only Adyen's own code would."""
    item = ITEM | {"success": "TRUE"}
    made = alone("Adyen.util").generate_notification_sig(item, BY_NAME["adyen"].secret.text())
    item |= {"additionalData": {"hmacSignature": made.decode()}}
    body = {"notificationItems": [{"NotificationRequestItem": item}]}
    return BY_NAME["adyen"].request.with_body(write_json(body))


def sha1():
    old = Hmac(header="X-Hub-Signature-256", prefix="sha1=", digest="sha1")
    sample = BY_NAME["github"]
    return with_headers(sample.request, dict(old.sign(JSON, sample.secret, now=NOW)))


def short_token():
    stamp, secret = str(int(NOW)), BY_NAME["mailgun"].secret.reveal()
    made = hmac_hex(secret, f"{stamp}x".encode()).decode()
    signature = {"timestamp": stamp, "token": "x", "signature": made}
    return BY_NAME["mailgun"].request.with_body(
        write_json(read_json(JSON) | {"signature": signature})
    )


def respelt(name, header, old, new):
    sample = BY_NAME[name]
    return changed(sample.request, header, sample.headers[header].replace(old, new))


def other_url(name, old, new):
    request = BY_NAME[name].request
    return replace(request, url=request.url.replace(old, new))


DIFFERENCES = [
    ("adyen", "an item of another account",
     lambda: items(ITEM | {"merchantAccountCode": "Other"}, account="Other")),
    ("adyen", "a field of any form", shouting),
    ("adyen", "more than a hundred items", lambda: items(*[ITEM] * 101)),
    ("github", "SHA-1 in the header of SHA-256", sha1),
    ("mailgun", "a time 900 s off", lambda: signed("mailgun", at=NOW - 899)),
    ("mailgun", "a token of any form", short_token),
    ("paddle", "any age, where its own window is not asked for",
     lambda: signed("paddle", at=NOW - 9000)),
    ("paddle", "a time with blanks", lambda: respelt("paddle", "Paddle-Signature", b";", b" ;")),
    ("standard_webhooks", "a time with a fraction",
     lambda: respelt("standard_webhooks", "webhook-timestamp", b"0" * 8, b"0" * 8 + b".5")),
    ("standard_webhooks", "anything behind the end of the base64",
     lambda: respelt("standard_webhooks", "webhook-signature", b"=", b"=junk")),
    ("twilio", "a pair sent twice",
     lambda: BY_NAME["twilio"].request.with_body(FORM + b"&Body=hello")),
    ("twilio", "any account",
     lambda: signed("twilio", FORM.replace(b"AC", b"AD"), account_sid=SID)),
    ("twilio", "any query", lambda: signed("twilio", FORM, account_sid=SID, query="a=1")),
    ("twilio, JSON", "a line break in the URL", lambda: other_url("twilio, JSON", "a=1", "a=\n1")),
]  # fmt: skip
LENIENT = {name for name, _, _ in DIFFERENCES}


@pytest.mark.parametrize(("name", "make"), [
    pytest.param(name, make, id=f"{name} takes {what}") for name, what, make in DIFFERENCES
])  # fmt: skip
def test_a_difference_is_one(name, make):
    request, sample = make(), BY_NAME[name]
    assert VENDORS[name].ask(request, sample.secret)
    with pytest.raises(SignatureError):
        sample.verify(request, sample.secret, now=NOW)


# -- the same over many requests -------------------------------------------------------------------
@pytest.mark.parametrize("name", VENDORS)
def test_a_good_request_passes_there_and_one_of_another_secret_does_not(name):
    sample, vendor = BY_NAME[name], VENDORS[name]
    assert vendor.ask(sample.request, sample.secret)
    assert not vendor.ask(sample.request, sample.other)


@pytest.mark.parametrize("name", VENDORS)
def test_the_verdicts_differ_in_what_is_named_and_nowhere_else(name):
    vendor, seen = VENDORS[name], Counter()
    for request, our, their in verdicts(name, 3):
        seen[our, their] += 1
        assert (our, their) != ("yes", "no"), request
        assert (our, their) != ("no", "yes") or name in LENIENT, request
        assert their in ("yes", "no") or (our == "no" and vendor.trips), (their, request)
    assert seen["yes", "yes"]
    assert seen["no", "no"]
    assert bool(vendor.trips) == any(their not in ("yes", "no") for _, their in seen)
