"""Adyen's standard webhooks: every item of a batch carries an HMAC over eight of its fields.

Source: https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures (2026-11).
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from hub.errors import SignatureError
from hub.model import Json, Request, read_json, write_json
from hub.secrets import Secret
from webhooks import schemes
from webhooks.signers import Signer, bytes_of, object_of, text_of

MOST_ITEMS = 100

# With these, and the account known, only merchantReference can hold a colon: no field can lend
# its neighbour a part of itself.
_FORMS = {
    "pspReference": re.compile(r"[A-Za-z0-9]{1,64}"),
    "originalReference": re.compile(r"[A-Za-z0-9]{0,64}"),
    "value": re.compile(r"(-?[0-9]{1,18})?"),
    "currency": re.compile(r"([A-Z]{3})?"),
    "eventCode": re.compile(r"[A-Z0-9_]{1,64}"),
    "success": re.compile(r"true|false"),
}


class Adyen(Signer):
    """One merchant account: an item of another is refused. The key is hex."""

    merchant_account: str = Field(pattern=r"^[^:]+$", description="your merchantAccountCode")
    reply: ClassVar[bytes | None] = b"[accepted]"

    def verify(self, request: Request, secret: Secret, *, now: float) -> None:
        """Check every item; one that is not signed damns them all."""
        key = schemes.key_bytes(secret, "hex")
        for item in _items(request.body):
            extra = item.get("additionalData")
            sent = extra.get("hmacSignature") if isinstance(extra, dict) else None
            if not isinstance(sent, str):
                raise SignatureError("missing")
            schemes.matches(schemes.hmac_b64(key, self._message(item)), [bytes_of(sent)])

    def suspect(self, request: Request) -> str | None:
        """See whether an item is of another account."""
        named = {item.get("merchantAccountCode") for item in _items(request.body)}
        return None if named == {self.merchant_account} else "of another merchant account"

    def sign(self, request: Request, secret: Secret, *, now: float) -> Request:
        """Put its signature into every item."""
        body = read_json(request.body)
        key = schemes.key_bytes(secret, "hex")
        for box in body["notificationItems"]:
            item = box["NotificationRequestItem"]
            made = schemes.hmac_b64(key, self._message(item)).decode()
            item["additionalData"] = item.get("additionalData", {}) | {"hmacSignature": made}
        return request.with_body(write_json(body))

    def _message(self, item: Mapping[str, Json]) -> bytes:
        amount = item.get("amount")
        given = dict(item) | (amount if isinstance(amount, dict) else {})
        parts = {name: text_of(given.get(name)) for name in _FORMS}
        if any(not form.fullmatch(parts[name]) for name, form in _FORMS.items()):
            raise SignatureError("malformed")
        if item.get("merchantAccountCode") != self.merchant_account:
            raise SignatureError("mismatch")
        psp, original, *rest = parts.values()
        reference = text_of(item.get("merchantReference"))
        return bytes_of(":".join((psp, original, self.merchant_account, reference, *rest)))


def _items(body: bytes) -> list[dict[str, Json]]:
    boxes = object_of(body).get("notificationItems")
    if not isinstance(boxes, list) or not boxes:
        raise SignatureError("malformed")
    if len(boxes) > MOST_ITEMS:
        raise SignatureError("too_many")
    found: list[dict[str, Json]] = []
    for box in boxes:
        item = box.get("NotificationRequestItem") if isinstance(box, dict) else None
        if not isinstance(item, dict):
            raise SignatureError("malformed")
        found.append(item)
    return found
