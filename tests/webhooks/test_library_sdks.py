"""Our verdicts beside those of the vendors' own verifiers, with every difference named.

The SDKs are no dependencies of ours; where one is not installed its test is skipped. Differences
are those in which a vendor's verifier accepts too much or raises what it should not.
"""

import importlib
import random
from urllib.parse import parse_qsl

import pytest
from multidict import MultiDict

from hub import SignatureError, read_json
from tests.webhooks import fuzz
from tests.webhooks.samples import NOW, SAMPLES

BY_NAME = {sample.name: sample for sample in SAMPLES}
ROUNDS = 3000


def sdk(name: str):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        pytest.skip(f"{name.partition('.')[0]} is not installed")


def text(request, name: str) -> str:
    found = [value for key, value in request.headers if key.lower() == name.lower().encode()]
    return found[0].decode() if found else ""


def slack():
    """Refuses the future as we do; trips over a time that is no number, and over non-ASCII."""
    verifier = sdk("slack_sdk.signature").SignatureVerifier
    clock = type("Clock", (), {"now": staticmethod(lambda: NOW)})()

    def ask(request, secret):
        made = verifier(secret.text(), clock=clock)
        stamp, signature = (
            text(request, f"X-Slack-{n}") for n in ("Request-Timestamp", "Signature")
        )
        return made.is_valid(request.body, stamp, signature)

    return ask


def standard_webhooks(monkeypatch):
    """Takes a time with a fraction; trips over a header without a comma, and bodies not JSON."""
    module = sdk("standardwebhooks.webhooks")
    real = module.datetime

    class Now(real):
        @classmethod
        def now(cls, tz=None):
            return real.fromtimestamp(NOW, tz)

    monkeypatch.setattr(module, "datetime", Now)

    def ask(request, secret):
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        headers = {name: text(request, name) for name in names}
        try:
            module.Webhook(secret.text()).verify(request.body, headers)
        except module.WebhookVerificationError:
            return False
        return True

    return ask


def twilio():
    """Signs a pair sent twice once, and knows of no account."""
    validator = sdk("twilio.request_validator").RequestValidator

    def ask(request, secret):
        form = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict")
        signature = text(request, "X-Twilio-Signature")
        return validator(secret.text()).validate(request.url, MultiDict(form), signature)

    return ask


def paddle():
    """Its signature check alone: its window is of another length, and asks the clock."""
    module = sdk("paddle_billing.Notifications.PaddleSignature")
    secret_of = sdk("paddle_billing.Notifications").Secret

    def ask(request, secret):
        signature = text(request, "Paddle-Signature")
        body, made = request.body.decode(), secret_of(secret.text())
        return module.PaddleSignature().verify(signature, body, made)

    return ask


def adyen():
    """Looks at the first item alone, and knows of no account."""
    check = sdk("Adyen.util").is_valid_hmac_notification

    def ask(request, secret):
        items = read_json(request.body)["notificationItems"]
        return all(check(one["NotificationRequestItem"], secret.text()) for one in items)

    return ask


def square():
    check = sdk("square.utils.webhooks_helper").verify_signature

    def ask(request, secret):
        return check(
            request_body=request.body.decode(), signature_key=secret.text(),
            signature_header=text(request, "x-square-hmacsha256-signature"),
            notification_url=request.url,
        )  # fmt: skip

    return ask


VENDORS = {
    "slack": slack, "standard_webhooks": standard_webhooks, "twilio": twilio, "paddle": paddle,
    "adyen": adyen, "square": square,
}  # fmt: skip


def ours(sample, request) -> bool:
    try:
        sample.verify(request, sample.secret, now=NOW)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("name", VENDORS)
def test_what_we_accept_the_vendor_accepts(name, monkeypatch):
    sample = BY_NAME[name]
    make = VENDORS[name]
    ask = make(monkeypatch) if name == "standard_webhooks" else make()
    assert ask(sample.request, sample.secret)
    assert not ask(sample.request, sample.other)
    chance, agreed = random.Random(3), 0
    for _ in range(ROUNDS):
        request = chance.choice(fuzz.CHANGES)(sample.request, chance)
        if ours(sample, request):
            assert ask(request, sample.secret), request
            agreed += 1
    assert agreed


# What a vendor's verifier takes and ours does not.
DIFFER = {
    "standard_webhooks": "a time with a fraction, or with white space around it",
    "twilio": "a pair sent twice, another query",
    "paddle": "a time outside the window, or written otherwise",
    "adyen": "a field whose form nobody checks, more than a hundred items",
}


@pytest.mark.parametrize("name", VENDORS)
def test_what_the_vendor_takes_we_take_but_for_named_differences(name, monkeypatch):
    sample = BY_NAME[name]
    make = VENDORS[name]
    ask = make(monkeypatch) if name == "standard_webhooks" else make()
    chance, taken = random.Random(4), 0
    for _ in range(ROUNDS):
        request = chance.choice(fuzz.CHANGES)(sample.request, chance)
        names = [key.lower() for key, _ in request.headers]
        if len(set(names)) != len(names):
            continue  # sent twice: their callers give them one of the two
        try:
            taken_there = bool(ask(request, sample.secret))
        except Exception:  # noqa: BLE001 -- what escapes from them is no yes
            continue
        taken += taken_there
        if taken_there and not ours(sample, request):
            assert name in DIFFER, request
    assert taken
