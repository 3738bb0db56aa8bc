"""The money behind the double: intents, charges and refunds in their real states, in dicts.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle, /refunds, /testing (2026-11).
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from connectors.stripe.sandbox_forms import Refusal, need
from hub import Clock, Json

DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
}
REFUND_STATUS = {"pm_card_pendingRefund": "pending"}
FAILS_REFUNDS = "pm_card_refundFail"
NEEDS_ACTION = "pm_card_authenticationRequired"
PAYS = {"pm_card_visa", "pm_card_mastercard", FAILS_REFUNDS, *REFUND_STATUS}
OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}
NAMES = {
    "pi": "payment_intent", "ch": "charge", "re": "refund", "cs": "checkout.session",
    "tx": "balance_transaction",
}  # fmt: skip


class Bank:
    """Hold every object by id, and tell what happens to each.

    Args:
        tell: Called with an event type and the object as it then is.
        note: Called with the kind, id and parameters of each effect, once.
        salt: Keeps ids of one run apart from those of another.
    """

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[str, Json], None],
        note: Callable[[str, str, Json], None],
        salt: str,
    ) -> None:
        self.clock, self.tell, self.note, self.salt = clock, tell, note, salt
        self.things: dict[str, dict[str, Any]] = {}
        self.wanted: dict[str, Json] = {}  # session id -> what its intent is to be like
        self.later: list[Callable[[], None]] = []

    def make(self, prefix: str, **fields: Json) -> dict[str, Any]:
        """Make an object; ids count on."""
        ident = f"{prefix}_{self.salt}{len(self.things) + 1:06d}"
        thing = {"id": ident, "object": NAMES[prefix[:2]], "created": self.now(), "livemode": False}
        self.things[ident] = thing | {"metadata": {}} | fields
        return self.things[ident]

    def now(self) -> int:
        """Give Unix seconds."""
        return int(self.clock.now().timestamp())

    def get(self, ident: str, kind: str, param: str = "id") -> dict[str, Any]:
        """Give an object of a kind, or refuse as Stripe does."""
        thing = self.things.get(ident)
        if thing is None or thing["object"] != kind:
            text = f"No such {kind}: '{ident}'"
            raise Refusal(text, status=404, code="resource_missing", param=param)
        return thing

    # -- intents ---------------------------------------------------------------------------------
    def create_intent(self, params: dict[str, Json]) -> Json:
        """Make an intent, and confirm it where that is asked."""
        need(params, "amount", "currency")
        if params["amount"] < 1:
            text = "This value must be greater than or equal to 1."
            raise Refusal(text, code="parameter_invalid_integer", param="amount")
        if not re.fullmatch("[A-Za-z]{3}", params["currency"]):
            raise Refusal(f"Invalid currency: {params['currency']}", param="currency")
        intent = self.new_intent(params)
        self.note("payment_intent", intent["id"], params)
        if params.get("confirm"):
            self.pay(intent, str(params.get("payment_method") or ""))
        return intent

    def new_intent(self, params: dict[str, Json]) -> dict[str, Any]:
        """Make an intent as it is before anyone pays."""
        method, how = params.get("payment_method"), params.get("capture_method")
        intent = self.make(
            "pi", amount=params["amount"], amount_capturable=0, amount_received=0,
            automatic_payment_methods=params.get("automatic_payment_methods"), canceled_at=None,
            cancellation_reason=None, capture_method=how or "automatic_async",
            confirmation_method="automatic", currency=str(params["currency"]).lower(),
            customer=params.get("customer"), description=params.get("description"),
            last_payment_error=None, latest_charge=None, metadata=params.get("metadata", {}),
            next_action=None, payment_method=method, payment_method_types=["card"],
            processing=None, receipt_email=params.get("receipt_email"),
            status="requires_confirmation" if method else "requires_payment_method",
        )  # fmt: skip
        intent["client_secret"] = f"{intent['id']}_secret_{self.salt}"
        self.tell("payment_intent.created", intent)
        return intent

    def pay(self, intent: dict[str, Any], method: str) -> Json:
        """Let the buyer pay with one of Stripe's test methods.

        Raises:
            Refusal: 402 where the card is declined; the intent waits for another.
        """
        if intent["status"] not in OPEN:
            raise _wrong_state(intent, "confirm")
        intent["payment_method"] = method = method or intent["payment_method"] or ""
        if method == NEEDS_ACTION:
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}
            self.tell("payment_intent.requires_action", intent)
            return intent
        if method not in PAYS | set(DECLINES):
            text = f"No such PaymentMethod: '{method}'"
            raise Refusal(text, code="resource_missing", param="payment_method")
        charge = self._charge(intent, method)
        return self._decline(intent, charge) if method in DECLINES else self._take(intent, charge)

    def _charge(self, intent: dict[str, Any], method: str) -> dict[str, Any]:
        code, _ = DECLINES.get(method, (None, None))
        captured = code is None and intent["capture_method"] != "manual"
        charge = self.make(
            "ch", amount=intent["amount"], amount_captured=intent["amount"] if captured else 0,
            amount_refunded=0, captured=captured, currency=intent["currency"], disputed=False,
            failure_code=code, metadata=dict(intent["metadata"]), paid=code is None,
            payment_intent=intent["id"], payment_method=method, refunded=False,
            status="failed" if code else "succeeded",
        )  # fmt: skip
        intent["latest_charge"] = charge["id"]
        if captured:
            self._book("charge", charge, charge["amount"])
        self.note("charge", charge["id"], {"payment_intent": intent["id"], "paid": code is None})
        return charge

    def _decline(self, intent: dict[str, Any], charge: dict[str, Any]) -> Json:
        code, decline = DECLINES[charge["payment_method"]]
        error = {"charge": charge["id"], "code": code, "decline_code": decline,
                 "message": "Your card was declined.", "type": "card_error"}  # fmt: skip
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        intent["payment_method"] = None
        self.tell("charge.failed", charge)
        self.tell("payment_intent.payment_failed", intent)
        more = error | {"payment_intent": copy.deepcopy(intent)}
        raise Refusal("Your card was declined.", 402, "card_error", code, more=more)

    def _take(self, intent: dict[str, Any], charge: dict[str, Any]) -> Json:
        intent |= {"next_action": None, "last_payment_error": None}
        self.tell("charge.succeeded", charge)
        if charge["captured"]:
            intent |= {"status": "succeeded", "amount_received": intent["amount"]}
            self.tell("payment_intent.succeeded", intent)
        else:
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self.tell("payment_intent.amount_capturable_updated", intent)
        return intent

    def capture(self, ident: str, params: dict[str, Json]) -> Json:
        """Capture an authorized intent once; the rest is released."""
        intent = self.get(ident, "payment_intent", "intent")
        if intent["status"] != "requires_capture":
            raise _wrong_state(intent, "capture")
        amount = params.get("amount_to_capture", intent["amount_capturable"])
        if not 0 < amount <= intent["amount_capturable"]:
            text = "The amount to capture must be positive and at most what is capturable."
            raise Refusal(text, code="amount_too_large", param="amount_to_capture")
        charge = self.things[intent["latest_charge"]]
        charge |= {"captured": True, "amount_captured": amount}
        self._book("charge", charge, amount)
        intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
        intent["metadata"] |= params.get("metadata", {})
        self.note("capture", ident, params)
        self.tell("charge.captured", charge)
        self.tell("payment_intent.succeeded", intent)
        return intent

    def cancel(self, ident: str, params: dict[str, Json]) -> Json:
        """Cancel an intent that has not succeeded."""
        intent = self.get(ident, "payment_intent", "intent")
        if intent["status"] not in OPEN | {"requires_capture", "processing"}:
            raise _wrong_state(intent, "cancel")
        reason = params.get("cancellation_reason")
        intent |= {"status": "canceled", "canceled_at": self.now(), "amount_capturable": 0}
        intent["cancellation_reason"] = reason
        self.note("cancel", ident, params)
        self.tell("payment_intent.canceled", intent)
        return intent

    # -- refunds ---------------------------------------------------------------------------------
    def refund(self, params: dict[str, Json]) -> Json:
        """Refund a captured charge, all that is left of it or a part."""
        charge = self._refundable(params)
        left = charge["amount_captured"] - charge["amount_refunded"]
        amount = params.get("amount", left)
        if left == 0:
            text = f"Charge {charge['id']} has already been refunded."
            raise Refusal(text, code="charge_already_refunded")
        if not 0 < amount <= left:
            text = f"Refund amount ({amount}) must be positive and at most what is left ({left})."
            raise Refusal(text, param="amount")
        made = self.make(
            "re", amount=amount, charge=charge["id"], currency=charge["currency"],
            metadata=params.get("metadata", {}), payment_intent=charge["payment_intent"],
            reason=params.get("reason"), failure_reason=None,
            status=REFUND_STATUS.get(charge["payment_method"], "succeeded"),
        )  # fmt: skip
        self._book("refund", made, -amount)
        self.note("refund", made["id"], params)
        self._refunded(charge, amount)
        self.tell("refund.created", made)
        self.tell("charge.refunded", charge)
        if charge["payment_method"] == FAILS_REFUNDS:
            self.later.append(lambda: self.settle_refund(made["id"], "failed"))
        return made

    def _refundable(self, params: dict[str, Json]) -> dict[str, Any]:
        ident = params.get("charge")
        if (intent := params.get("payment_intent")) is not None:
            ident = self.get(intent, "payment_intent", "payment_intent")["latest_charge"]
        elif ident is None:
            raise Refusal("One of payment_intent or charge must be given.")
        if ident is None or not self.get(ident, "charge", "charge")["captured"]:
            text = "This PaymentIntent does not have a successful charge to refund."
            raise Refusal(text, param="payment_intent" if intent else "charge")
        return self.things[ident]

    def _book(self, kind: str, source: dict[str, Any], amount: int) -> None:
        """Write money into the balance; this bank takes no fee."""
        made = self.make(
            "txn", amount=amount, available_on=self.now(), currency=source["currency"],
            description=None, exchange_rate=None, fee=0, fee_details=[], net=amount,
            reporting_category=kind, source=source["id"], status="available", type=kind,
        )  # fmt: skip
        if kind != "refund_failure":
            source["balance_transaction"] = made["id"]

    @staticmethod
    def _refunded(charge: dict[str, Any], amount: int) -> None:
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]

    def settle_refund(self, ident: str, status: str) -> Json:
        """Let a refund succeed or fail after all, as banks do days later."""
        made = self.get(ident, "refund")
        if made["status"] == "failed" or (made["status"], status) == ("succeeded", "succeeded"):
            raise Refusal(f"This refund is {made['status']}.")
        made["status"] = status
        if status == "failed":
            made["failure_reason"] = "expired_or_canceled_card"
            self._refunded(self.things[made["charge"]], -made["amount"])
            self._book("refund_failure", made, made["amount"])
            self.tell("refund.failed", made)
        self.tell("refund.updated", made)
        return made


def _wrong_state(intent: dict[str, Any], verb: str) -> Refusal:
    text = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    more = {"payment_intent": copy.deepcopy(intent)}
    return Refusal(text, code="payment_intent_unexpected_state", more=more)
