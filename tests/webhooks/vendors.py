"""The vendors' own verifiers, asked as their callers would, at the time NOW.

Of packages that take long to import, only the module that verifies is run.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace
from urllib.parse import parse_qsl

from multidict import MultiDict

from hub import Request, Secret, read_json
from tests.webhooks.samples import NOW

Ask = Callable[[Request, Secret], bool]
CLOCK = SimpleNamespace(time=lambda: NOW, now=lambda: NOW)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A verifier of a vendor's.

    Attributes:
        package: What installs it.
        ask: Gives its verdict; whatever it trips over leaves as it is.
        trips: What it raises something else over, instead of saying no.
    """

    package: str
    ask: Ask
    trips: str = ""


def alone(name: str) -> ModuleType:
    """Import a module without running the packages that it lies in."""
    parts = name.split(".")
    for parent in (".".join(parts[:count]) for count in range(1, len(parts))):
        if parent not in sys.modules:
            spec = find_spec(parent)
            assert spec is not None, f"{parent} is not installed"
            sys.modules[parent] = module_from_spec(spec)
    return import_module(name)


def text(request: Request, name: str) -> str:
    found = [value for key, value in request.headers if key.lower() == name.lower().encode()]
    return found[0].decode() if found else ""


def adyen(request: Request, secret: Secret) -> bool:
    check = alone("Adyen.util").is_valid_hmac_notification
    items = read_json(request.body)["notificationItems"]
    return all(check(one["NotificationRequestItem"], secret.text()) for one in items)


def adyen_platform(request: Request, secret: Secret) -> bool:
    check = alone("Adyen.util").is_valid_hmac_payload
    return check(text(request, "HmacSignature"), secret.text(), request.body)


def github(request: Request, secret: Secret) -> bool:
    module = import_module("gidgethub.sansio")
    signature = text(request, "X-Hub-Signature-256")
    try:
        module.validate_event(request.body, signature=signature, secret=secret.text())
    except module.ValidationFailure:
        return False
    return True


def mailgun(request: Request, secret: Secret) -> bool:
    module = alone("mailgun.security")
    module.time = CLOCK
    sent = read_json(request.body)["signature"]
    return module.SecurityGuard.verify_webhook(signing_key=secret.text(), **sent)


def mollie(request: Request, secret: Secret) -> bool:
    module = alone("mollie.utils.webhooks.signature_validator")
    sent = text(request, "X-Mollie-Signature")
    try:
        return module.SignatureValidator.validate(request.body.decode(), secret.text(), sent)
    except module.InvalidSignatureException:
        return False


def paddle(request: Request, secret: Secret) -> bool:
    module = alone("paddle_billing.Notifications.PaddleSignature")
    signature = text(request, "Paddle-Signature")
    made = module.Secret(secret.text())
    return module.PaddleSignature().verify(signature, request.body.decode(), made)


def slack(request: Request, secret: Secret) -> bool:
    verifier = alone("slack_sdk.signature").SignatureVerifier(secret.text(), clock=CLOCK)
    stamp, signature = (text(request, f"X-Slack-{n}") for n in ("Request-Timestamp", "Signature"))
    return verifier.is_valid(request.body, stamp, signature)


def square(request: Request, secret: Secret) -> bool:
    return import_module("square.utils.webhooks_helper").verify_signature(
        request_body=request.body.decode(), signature_key=secret.text(),
        signature_header=text(request, "x-square-hmacsha256-signature"),
        notification_url=request.url,
    )  # fmt: skip


def standard(request: Request, secret: Secret) -> bool:
    module = import_module("standardwebhooks.webhooks")
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: text(request, name) for name in names}
    try:
        module.Webhook(secret.text()).verify(request.body, headers)
    except module.WebhookVerificationError:
        return False
    return True


def twilio(request: Request, secret: Secret) -> bool:
    validator = import_module("twilio.request_validator").RequestValidator(secret.text())
    form = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict")
    return validator.validate(request.url, MultiDict(form), text(request, "X-Twilio-Signature"))


def twilio_json(request: Request, secret: Secret) -> bool:
    validator = import_module("twilio.request_validator").RequestValidator(secret.text())
    signature = text(request, "X-Twilio-Signature")
    return validator.validate(request.url, request.body.decode(), signature, "HMAC_SHA256")


VENDORS = {
    "adyen": Vendor(
        package="Adyen", ask=adyen, trips="an item without a signature, a body that is no JSON"
    ),
    "adyen_platform": Vendor(package="Adyen", ask=adyen_platform, trips="non-ASCII"),
    "github": Vendor(package="gidgethub", ask=github, trips="non-ASCII"),
    "mailgun": Vendor(
        package="mailgun", ask=mailgun,
        trips="a time that is no number, a part that is missing or not text",
    ),
    "mollie": Vendor(package="mollie-api-py", ask=mollie, trips="non-ASCII, a body not UTF-8"),
    "paddle": Vendor(
        package="paddle-python-sdk", ask=paddle,
        trips="a key it does not know, non-ASCII, a body not UTF-8",
    ),
    "slack": Vendor(
        package="slack-sdk", ask=slack, trips="a time that is no number, a body not UTF-8"
    ),
    "square": Vendor(package="squareup", ask=square, trips="a body not UTF-8"),
    "standard_webhooks": Vendor(
        package="standardwebhooks", ask=standard,
        trips="a header without a comma, a body not JSON",
    ),
    "twilio": Vendor(package="twilio", ask=twilio, trips="a body not UTF-8"),
    "twilio, JSON": Vendor(
        package="twilio", ask=twilio_json, trips="a query that asks for no hash of the body"
    ),
}  # fmt: skip
