"""Schemes of providers that have no connector of their own, by name; a row each.

Connector type `inbound` uses them from YAML. Pure: whatever the request, only SignatureError
leaves. What a scheme's signature does not cover is not to be believed: an event of a `partial`
or `none` scheme carries ids, the rest is fetched back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.effects import Signing
from webhooks import schemes
from webhooks.providers import paypal
from webhooks.providers.adyen import Adyen
from webhooks.providers.chat import HUB_256, Meta, Slack
from webhooks.providers.mail import Mailgun, Mandrill
from webhooks.providers.mollie import Mollie, MollieClassic
from webhooks.providers.paypal import Paypal
from webhooks.providers.standard import Standard
from webhooks.providers.twilio import Twilio
from webhooks.schemes import Hmac
from webhooks.signers import Basic, Free, Signer, Token, fixed

WINDOW = (schemes.WINDOW, schemes.WINDOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One provider: what its signature is worth, and the settings that verify it."""

    title: str
    signing: Signing
    signer: type[Signer]


SCHEMES: Mapping[str, Scheme] = {
    "adyen": Scheme(
        title="Adyen, standard webhooks",
        signing=Signing(
            covers="partial", dedupe="pspReference, eventCode and success",
            source="https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures",
        ),
        signer=Adyen,
    ),
    "adyen_platform": Scheme(
        title="Adyen, platform webhooks",
        signing=Signing(
            covers="body", dedupe="data.id with type",
            source="https://docs.adyen.com/platforms/webhooks (header's name unchecked)",
        ),
        signer=fixed(Hmac(header="HmacSignature", encoding="base64", key="hex")),
    ),
    "basic": Scheme(
        title="any provider that takes user:password@ in its URL",
        signing=Signing(
            covers="none", dedupe="the provider's id, if it sends one",
            source="https://www.rfc-editor.org/rfc/rfc7617",
        ),
        signer=Basic,
    ),
    "github": Scheme(
        title="GitHub",
        signing=Signing(
            covers="body", dedupe="header X-GitHub-Delivery",
            source="https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries",
        ),
        signer=fixed(HUB_256),
    ),
    "hmac": Scheme(
        title="any HMAC, everything settable",
        signing=Signing(
            covers="body", dedupe="the provider's id, if it sends one",
            source="the provider's own page",
        ),
        signer=Free,
    ),
    "intercom": Scheme(
        title="Intercom",
        signing=Signing(
            covers="body", dedupe="id (notif_…)",
            source="https://developers.intercom.com/docs/references/webhooks/webhook-models",
        ),
        signer=fixed(Hmac(header="X-Hub-Signature", prefix="sha1=", digest="sha1")),
    ),
    "klaviyo": Scheme(
        title="Klaviyo, system webhooks",
        signing=Signing(
            covers="body", window=WINDOW, dedupe="data[].external_id",
            source="https://developers.klaviyo.com/en/docs/working_with_system_webhooks",
        ),
        signer=fixed(Hmac(
            header="Klaviyo-Signature", time_header="Klaviyo-Timestamp", signed="{body}{t}",
            time_digits=10,
        )),
    ),
    "mailgun": Scheme(
        title="Mailgun",
        signing=Signing(
            covers="none", window=WINDOW, dedupe="signature.token",
            source="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
        ),
        signer=Mailgun,
    ),
    "mandrill": Scheme(
        title="Mandrill",
        signing=Signing(
            covers="body", url=True, dedupe="_id with event (unchecked)",
            source="https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
        ),
        signer=Mandrill,
    ),
    "meta": Scheme(
        title="Meta (Facebook, Instagram, WhatsApp)",
        signing=Signing(
            covers="body", dedupe="the entry's own id, such as messages[].id",
            source="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        ),
        signer=Meta,
    ),
    "mollie": Scheme(
        title="Mollie, next-generation webhooks",
        signing=Signing(
            covers="body", overlap=True, dedupe="id (event_…)",
            source="https://docs.mollie.com/reference/webhooks-new",
        ),
        signer=Mollie,
    ),
    "mollie_classic": Scheme(
        title="Mollie, classic webhooks",
        signing=Signing(
            covers="none", dedupe="nothing: the same id comes at each change",
            source="https://docs.mollie.com/reference/webhooks",
        ),
        signer=MollieClassic,
    ),
    "paddle": Scheme(
        title="Paddle Billing",
        signing=Signing(
            covers="body", window=WINDOW, overlap=True, dedupe="event_id",
            source="https://developer.paddle.com/webhooks/signature-verification",
        ),
        signer=fixed(Hmac(
            header="Paddle-Signature", separator=";", time_prefix="ts=", prefix="h1=",
            signed="{t}:{body}",
        )),
    ),
    "paypal": Scheme(
        title="PayPal",
        signing=Signing(
            covers="partial", window=(paypal.PAST, schemes.WINDOW),
            dedupe="id (WH-…)",
            source="https://developer.paypal.com/api/rest/webhooks/rest/",
        ),
        signer=Paypal,
    ),
    "postmark": Scheme(
        title="Postmark",
        signing=Signing(
            covers="none", dedupe="MessageID with RecordType",
            source="https://postmarkapp.com/developer/webhooks/webhooks-overview",
        ),
        signer=Basic,
    ),
    "shopify": Scheme(
        title="Shopify",
        signing=Signing(
            covers="body", dedupe="header X-Shopify-Event-Id",
            source="https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        ),
        signer=fixed(Hmac(header="X-Shopify-Hmac-SHA256", encoding="base64")),
    ),
    "slack": Scheme(
        title="Slack",
        signing=Signing(
            covers="body", window=WINDOW, dedupe="event_id",
            source="https://docs.slack.dev/authentication/verifying-requests-from-slack",
        ),
        signer=Slack,
    ),
    "square": Scheme(
        title="Square",
        signing=Signing(
            covers="body", url=True, dedupe="event_id",
            source="https://developer.squareup.com/docs/webhooks/step3validate",
        ),
        signer=fixed(Hmac(
            header="x-square-hmacsha256-signature", signed="{url}{body}", encoding="base64"
        )),
    ),
    "standard_webhooks": Scheme(
        title="Standard Webhooks (Svix, Resend, Clerk, …), v1 and v1a",
        signing=Signing(
            covers="body", window=WINDOW, overlap=True, dedupe="header webhook-id or svix-id",
            source="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        ),
        signer=Standard,
    ),
    "token": Scheme(
        title="any provider that signs nothing (Mailchimp, …)",
        signing=Signing(
            covers="none", dedupe="the provider's id, if it sends one",
            source="a secret of ours in the URL",
        ),
        signer=Token,
    ),
    "twilio": Scheme(
        title="Twilio",
        signing=Signing(
            covers="partial", url=True, dedupe="MessageSid with MessageStatus (unchecked)",
            source="https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        ),
        signer=Twilio,
    ),
}  # fmt: skip
