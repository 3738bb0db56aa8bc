"""Slack's and Meta's signatures are plain HMACs; what is particular is how each asks who we are.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://developers.facebook.com/docs/graph-api/webhooks/getting-started (read 2026-11).
"""

from typing import ClassVar

from pydantic import Field

from hub.model import Json, Request
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Fixed, bytes_of, text_of

SLACK = schemes.Hmac(
    header="X-Slack-Signature",
    time_header="X-Slack-Request-Timestamp",
    signed="v0:{t}:{body}",
    prefix="v0=",
)
HUB_256 = schemes.Hmac(header="X-Hub-Signature-256", prefix="sha256=")


class Slack(Fixed):
    """Events, and interactions, whose form has JSON in `payload`."""

    hmac: ClassVar[schemes.Hmac] = SLACK
    texts: ClassVar[frozenset[str]] = frozenset({"payload"})

    def challenge(self, body: Json) -> bytes | None:
        """Answer `url_verification`."""
        asked = isinstance(body, dict) and body.get("type") == "url_verification"
        return bytes_of(text_of(body.get("challenge"))) if asked else None


class Meta(Fixed):
    """Facebook, Instagram and WhatsApp."""

    hmac: ClassVar[schemes.Hmac] = HUB_256
    verify_token: Secret | None = Field(
        default=None, description="what you typed into the dashboard as verify token"
    )

    def greet(self, request: Request) -> bytes | None:
        """Answer `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`."""
        if request.method != "GET" or self.verify_token is None:
            return None
        sent = schemes.query_value(request, "hub.verify_token")
        schemes.matches(schemes.key_of(self.verify_token), [sent])
        return schemes.query_value(request, "hub.challenge")
