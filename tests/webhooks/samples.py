"""A good request for every scheme of the library, and for the connectors' own, signed and ready."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from connectors.hubspot import Hubspot
from connectors.segment import Segment
from connectors.sendgrid import SendGrid
from connectors.stripe import Stripe
from hub import Connector, Request, Secret, write_json
from hub.effects import Signing
from webhooks.library import SCHEMES
from webhooks.signers import with_headers

NOW = 1_700_000_000.0
HOST = "https://hub.example.com/webhooks/"
PLAIN, OTHER = "a-webhook-secret-0123", "another-webhook-secret-0123"
SID = "AC" + "0123456789abcdef" * 2
Verify = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A scheme as an admin may set it, two of its secrets, and a request signed with the first.

    Attributes:
        meaning: What of a request is believed: two requests of one meaning may both pass.
        loose: Bits of the body may change, since they are not signed.
    """

    name: str
    signing: Signing
    verify: Verify
    secret: Secret
    other: Secret
    request: Request
    meaning: Callable[[Request], Any] = lambda request: request.body

    def __str__(self) -> str:
        return self.name

    @property
    def loose(self) -> bool:
        return self.signing.covers != "body"

    @property
    def headers(self) -> dict[str, bytes]:
        """Give the headers without which the request is refused, by name."""
        return {name.decode(): value for name, value in self.request.headers}


# -- keys ------------------------------------------------------------------------------------------
def certificate(
    name: str,
    key: rsa.RSAPrivateKey,
    *,
    start: int = -1,
    days: int = 9,
    ca: bool = False,
    by: Any = None,
) -> x509.Certificate:
    """Make a certificate around NOW; it signs itself unless `by` is (certificate, key)."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = datetime.fromtimestamp(NOW, UTC) + timedelta(days=start)
    issuer, signer = (by[0].subject, by[1]) if by else (subject, key)
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    server = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
    more = [
        (x509.BasicConstraints(ca, None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (authority, False),
        *([] if ca else [(x509.SubjectAlternativeName([x509.DNSName(name)]), False)]),
        *([] if ca else [(server, False)]),
    ]
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), 7, begin,
                                   begin + timedelta(days=days))  # fmt: skip
    for extension, critical in more:
        made = made.add_extension(extension, critical=critical)
    return made.sign(signer, hashes.SHA256())


def pem(found: x509.Certificate, key: Any = None) -> str:
    """Write a certificate, and the private key that only tests have."""
    text = found.public_bytes(serialization.Encoding.PEM).decode()
    return text + (private(key) if key is not None else "")


def private(key: Any) -> str:
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return key.private_bytes(*how, serialization.NoEncryption()).decode()


PAYPAL = "messageverificationcerts.paypal.com"
RSA_KEY, OTHER_KEY, ROOT_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(3))
ROOT = certificate("root.example", ROOT_KEY, ca=True)
CHAIN = pem(certificate(PAYPAL, RSA_KEY, by=(ROOT, ROOT_KEY))).encode()
FETCHED = {"paypal, fetched": CHAIN}


def p256(number: int) -> str:
    how = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8)
    key = ec.derive_private_key(number, ec.SECP256R1())
    return base64.b64encode(key.private_bytes(*how, serialization.NoEncryption())).decode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# -- the table -------------------------------------------------------------------------------------
JSON = b'{"id":"evt_1","type":"thing.made","at":1700000000}'
FORM = urlencode({"AccountSid": SID, "Body": "hello", "From": "+14158675309", "MessageSid": "SM1",
                  "To": "+18005551212"}).encode()  # fmt: skip
ITEM = {"pspReference": "7914073381342284", "merchantReference": "order:1",
        "merchantAccountCode": "Shop", "amount": {"currency": "EUR", "value": 1130},
        "eventCode": "AUTHORISATION", "success": "true", "reason": "unsigned"}  # fmt: skip
ITEMS = write_json({"live": "false", "notificationItems": [
    {"NotificationRequestItem": ITEM}, {"NotificationRequestItem": ITEM | {"success": "false"}},
]})  # fmt: skip
HEXES = ("44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056", "00FF" * 16)


def pairs(request: Request) -> Any:
    return request.url, parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)


def with_url(request: Request) -> Any:
    return request.url, request.body


# Name, scheme, settings, body, secrets, and what is believed where it is not the body.
TABLE: list[tuple[Any, ...]] = [
    ("adyen", "adyen", {"merchant_account": "Shop"}, ITEMS, HEXES),
    ("adyen_platform", "adyen_platform", {}, JSON, HEXES),
    ("basic", "basic", {}, JSON, ("user:long-enough-pass", "user:another-long-pass")),
    ("github", "github", {}, JSON, ()),
    ("hmac", "hmac", {"header": "X-Sig", "time_header": "X-Time", "id_header": "X-Id",
                      "signed": "{id}.{t}.{method}.{url}.{body}", "prefix": "v1=",
                      "separator": ",", "digest": "sha512", "encoding": "base64", "key": "base64",
                      "time_unit": "ms"}, JSON, (b64(PLAIN), b64(OTHER)), with_url),
    ("hmac, time inside", "hmac", {"header": "X-Sig", "time_prefix": "t=", "prefix": "v1=",
                                   "separator": ",", "signed": "{t}.{body}"}, JSON, ()),
    ("intercom", "intercom", {}, JSON, ()),
    ("klaviyo", "klaviyo", {}, JSON, ()),
    ("mailgun", "mailgun", {}, JSON, ()),
    ("mandrill", "mandrill", {}, b'[{"_id":"1","event":"send"}]', (), pairs),
    ("meta", "meta", {}, JSON, ()),
    ("mollie", "mollie", {}, JSON, ()),
    ("mollie_classic", "mollie_classic", {}, b"id=tr_1", (), lambda r: r.url),
    ("paddle", "paddle", {}, JSON, ()),
    ("paypal", "paypal", {"webhook_id": "1JE4291016473214C"}, JSON,
     (pem(certificate(PAYPAL, RSA_KEY), RSA_KEY), pem(certificate(PAYPAL, OTHER_KEY), OTHER_KEY))),
    ("paypal, fetched", "paypal", {"webhook_id": "1JE4291016473214C", "certificate": "fetched"},
     JSON, (pem(ROOT, RSA_KEY), pem(certificate("other", OTHER_KEY, ca=True), OTHER_KEY))),
    ("postmark", "postmark", {}, JSON, ("user:long-enough-pass", "user:another-long-pass")),
    ("shopify", "shopify", {}, JSON, ()),
    ("slack", "slack", {}, JSON, ()),
    ("square", "square", {}, JSON, (), with_url),
    ("standard_webhooks", "standard_webhooks", {}, JSON,
     ("whsec_" + b64(PLAIN), "whsec_" + b64(OTHER))),
    ("standard_webhooks v1a", "standard_webhooks", {}, JSON,
     ("whsk_" + b64("7" * 32), "whsk_" + b64("8" * 32))),
    ("token", "token", {}, JSON, (), lambda r: r.url),
    ("twilio", "twilio", {"account_sid": SID}, FORM, (), pairs),
    ("twilio, JSON", "twilio", {"account_sid": SID, "query": "a=1", "algorithm": "sha256"}, JSON,
     (), with_url),
]  # fmt: skip


def library() -> Iterator[Sample]:
    """Yield a sample of every scheme of the library."""
    for name, scheme, settings, body, secrets, *meaning in TABLE:
        found = SCHEMES[scheme]
        signer = found.signer(**settings)
        secret, other = (Secret(text, "test") for text in secrets or (PLAIN, OTHER))
        bare = Request(method="POST", url=HOST + scheme, headers=(), body=body)
        yield Sample(
            name=name, signing=found.signing, verify=signer.verify, secret=secret, other=other,
            request=replace(
                signer.sign(bare, secret, now=NOW), fetched=FETCHED.get(name, b"")
            ),
            **({"meaning": meaning[0]} if meaning else {}),
        )  # fmt: skip


def connectors() -> Iterator[Sample]:
    """Yield a sample of every connector's own scheme."""
    changes = b'[{"eventId":1,"subscriptionId":2,"portalId":3,"occurredAt":1700000000000}]'
    keys = (p256(0x5EC12E7), p256(0x07E5))
    rows: list[tuple[str, type[Connector], dict[str, Any], bytes, Any]] = [
        ("stripe", Stripe, {"api_key": Secret("sk_test_1"), "mode": "test"}, JSON, (PLAIN, OTHER)),
        ("hubspot", Hubspot, {"access_token": Secret("pat-1")}, changes, (PLAIN, OTHER)),
        (
            "sendgrid",
            SendGrid,
            {"api_key": Secret("SG.1"), "from": "shop@example.com"},
            b"[]\r\n",
            keys,
        ),
        ("segment", Segment, {"write_key": Secret("k")}, JSON, (PLAIN, OTHER)),
    ]
    for name, cls, settings, body, secrets in rows:
        made = cls(name, cls.Settings(**settings), None, HOST + name)
        secret, other = (Secret(text, "test") for text in secrets)
        bare = Request(method="POST", url=HOST + name, headers=(), body=body)
        assert cls.signature is not None
        yield Sample(
            name=name, signing=cls.signature, verify=made.verify, secret=secret, other=other,
            request=with_headers(bare, dict(made.sign(body, secret, now=NOW))),
            meaning=with_url if cls.signs_url else lambda request: request.body,
        )  # fmt: skip


SAMPLES = [*library(), *connectors()]


def changed(request: Request, name: str, *values: bytes) -> Request:
    """Give the request with a header sent with these values."""
    kept = [pair for pair in request.headers if pair[0].lower() != name.lower().encode()]
    return replace(request, headers=(*kept, *((name.encode(), value) for value in values)))
