"""The core shop backend; also the built-in connector `shop`.

Its actions are plain functions `(tx, item, rules)`: each is its whole transaction, and no call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from hub.config import Config
from hub.shop import carts, catalog, facts, orders, payments, refunds, silence
from hub.shop.rules import ShopRules


@dataclass(frozen=True, slots=True)
class ShopAction:
    """One action of the connector `shop`: its input, and the function that is its effect."""

    model: type[BaseModel]
    work: Callable[[Any, Any], Any]


class Shop:
    """The shop under one set of rules; `actions` is what the worker performs, by name."""

    def __init__(self, rules: ShopRules) -> None:
        self.rules = rules
        self.actions: Mapping[str, ShopAction] = {
            "record_payment": ShopAction(
                facts.RecordPayment, partial(payments.record_payment, rules=rules)
            ),
            "attach_payment": ShopAction(payments.AttachPayment, payments.attach_payment),
            "attach_refund": ShopAction(refunds.AttachRefund, refunds.attach_refund),
            "review_unmatched": ShopAction(payments.ReviewUnmatched, payments.review_unmatched),
            "review_silence": ShopAction(
                silence.ReviewSilence, partial(silence.review_silence, rules=rules)
            ),
            "create_product": ShopAction(
                catalog.NewProduct, partial(catalog.create_product, rules=rules)
            ),
            "create_cart": ShopAction(carts.NewCart, partial(carts.create_cart, rules=rules)),
            "complete_cart": ShopAction(
                carts.CompleteCart, partial(carts.complete_cart, rules=rules)
            ),
            "create_order": ShopAction(orders.NewOrder, partial(orders.create_order, rules=rules)),
            "request_refund": ShopAction(
                refunds.RequestRefund, partial(refunds.request_refund, rules=rules)
            ),
        }


def rules_of(config: Config) -> ShopRules:
    """Read the shop's rules out of a configuration."""
    payers = {
        name: {action: spec.effect for action, spec in connector.cls.actions().items()}
        for name, connector in config.connectors.items()
        if "create_payment" in connector.cls.actions()
    }
    if config.shop is None:
        return ShopRules(payment_connectors=payers)
    return ShopRules(
        currencies=config.shop.currencies,
        hold=config.shop.hold.default,
        payment_connectors=payers,
    )
