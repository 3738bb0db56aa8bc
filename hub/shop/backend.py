"""The shop as a whole: its rules out of a configuration, its actions by name.

Actions are plain functions `(tx, item, rules)`: each is its whole transaction, and no call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from hub.config import Config
from hub.config.shop import ShippingPart
from hub.shop import (
    carts,
    catalog,
    checkout,
    drift,
    ending,
    facts,
    fulfilling,
    lifecycle,
    orders,
    payments,
    refunds,
    silence,
)
from hub.shop.pricing import WHOLE
from hub.shop.rules import ShippingWay, ShopRules


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
            "attach_payment": ShopAction(
                payments.AttachPayment, partial(payments.attach_payment, rules=rules)
            ),
            "expire_order": ShopAction(ending.OrderDue, partial(ending.expire_order, rules=rules)),
            "end_cart": ShopAction(carts.CartDue, partial(carts.end_cart, rules=rules)),
            "close_order": ShopAction(ending.OrderDue, partial(ending.close_order, rules=rules)),
            "cancel_order": ShopAction(
                lifecycle.CancelOrder, partial(lifecycle.cancel_order, rules=rules)
            ),
            "hold_order": ShopAction(lifecycle.HoldOrder, lifecycle.hold_order),
            "create_fulfilment": ShopAction(
                fulfilling.CreateFulfilment, fulfilling.create_fulfilment
            ),
            "move_fulfilment": ShopAction(fulfilling.MoveFulfilment, fulfilling.move_fulfilment),
            "release_order": ShopAction(lifecycle.ReleaseOrder, lifecycle.release_order),
            "attach_refund": ShopAction(refunds.AttachRefund, refunds.attach_refund),
            "review_unmatched": ShopAction(payments.ReviewUnmatched, payments.review_unmatched),
            "review_silence": ShopAction(
                silence.ReviewSilence, partial(silence.review_silence, rules=rules)
            ),
            "match_money": ShopAction(drift.MatchMoney, drift.match_money),
            "create_product": ShopAction(
                catalog.NewProduct, partial(catalog.create_product, rules=rules)
            ),
            "create_cart": ShopAction(carts.NewCart, partial(carts.create_cart, rules=rules)),
            "complete_cart": ShopAction(
                checkout.CompleteCart, partial(checkout.complete_cart, rules=rules)
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
    shop = config.shop
    return ShopRules(
        currencies=shop.currencies,
        hold=shop.hold.default,
        hold_bank=shop.hold.bank,
        abandon_after=shop.abandon_after,
        return_window=shop.return_window,
        late_money=shop.late_money,
        allow_unpaid=shop.allow_unpaid,
        prices_include_tax=shop.prices_include_tax,
        taxes={land: _rates(classes) for land, classes in shop.taxes.items()},
        home=shop.locale[-2:] if shop.locale[-2:].isupper() else None,
        shipping={way.code: _way(way) for way in shop.shipping},
        payment_connectors=payers,
    )


def _rates(classes: Mapping[str, float]) -> dict[str, int]:
    return {name: round(share * WHOLE) for name, share in classes.items()}


def _way(way: ShippingPart) -> ShippingWay:
    return ShippingWay(
        code=way.code,
        title=way.title,
        countries=way.countries,
        tax_class=way.tax_class,
        prices={price.currency: price.amount for price in way.prices},
        free_from={price.currency: price.amount for price in way.free_from},
    )
