"""The benchmark's order → CRM mapping in other languages for JSON.

Jinja: one compiled expression for each object, in its sandbox, with our money filter lent to it.
JSONata: the whole in one expression. JMESPath can only select: no lower case, no arithmetic, no
conditions, so what it makes is less.
"""

from collections.abc import Callable
from typing import Any

import jmespath
import jsonatapy
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from mappings.money import money

CONTACT = """{'email': order.customer.email | trim | lower,
    'firstname': order.customer.first_name, 'lastname': order.customer.last_name,
    'phone': order.customer.phone | default(order.billing_address.phone),
    'country': order.billing_address.country, 'city': order.billing_address.city,
    'zip': order.billing_address.zip, 'lifecyclestage': 'customer'}"""
DEAL = """{'shop_order_id': order.id, 'dealname': 'Order ' ~ order.number,
    'amount': order.total | money, 'deal_currency_code': order.currency,
    'closedate': order.paid_at | default(order.created_at), 'pipeline': 'default',
    'dealstage': 'closedwon' if order.status == 'paid' else 'closedlost'
        if order.status in ['refunded', 'cancelled'] else 'contractsent', 'test': order.test}"""
LINE = """{'sku': line.sku, 'name': line.title, 'quantity': line.qty | string,
    'price': line.unit_price | money}"""
JSONATA = """{
  "contact": {"email": $lowercase($trim(customer.email)), "firstname": customer.first_name,
    "lastname": customer.last_name,
    "phone": $exists(customer.phone) ? customer.phone : billing_address.phone,
    "country": billing_address.country, "city": billing_address.city, "zip": billing_address.zip,
    "lifecyclestage": "customer"},
  "deal": {"shop_order_id": id, "dealname": "Order " & number,
    "amount": $formatNumber(total.amount / 100, "0.00"), "deal_currency_code": currency,
    "closedate": $exists(paid_at) ? paid_at : created_at, "pipeline": "default",
    "dealstage": status = "paid" ? "closedwon"
      : status in ["refunded", "cancelled"] ? "closedlost" : "contractsent", "test": test},
  "lines": [lines.{"sku": sku, "name": title, "quantity": $string(qty),
    "price": $formatNumber(unit_price.amount / 100, "0.00")}]
}"""
JMESPATH = """{
  contact: {email: customer.email, firstname: customer.first_name, lastname: customer.last_name,
    phone: customer.phone || billing_address.phone, country: billing_address.country,
    city: billing_address.city, zip: billing_address.zip, lifecyclestage: 'customer'},
  deal: {shop_order_id: id, dealname: join(' ', ['Order', number]), amount: total.amount,
    deal_currency_code: currency, closedate: paid_at || created_at, pipeline: 'default',
    dealstage: status, test: test},
  lines: lines[].{sku: sku, name: title, quantity: to_string(qty), price: unit_price.amount}
}"""


def same(order: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Give the languages that can say it all."""
    whole = jsonatapy.compile(JSONATA)
    return {
        "JSONata (jsonatapy, in Rust)": lambda: whole.evaluate(order),
        "Jinja, sandboxed, an expression each object": _jinja(order),
    }


def less(order: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Give those that can only say part of it."""
    selected = jmespath.compile(JMESPATH)
    return {"JMESPath, which can only select": lambda: selected.search(order)}


def _jinja(order: dict[str, Any]) -> Callable[[], Any]:
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["money"] = money
    contact, deal, line = (environment.compile_expression(t) for t in (CONTACT, DEAL, LINE))
    return lambda: {
        "contact": contact(order=order),
        "deal": deal(order=order),
        "lines": [line(line=item) for item in order["lines"]],
    }
