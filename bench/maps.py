"""A realistic order → CRM mapping beside the same thing by hand in Python, and in other languages.

A contact, a deal and five line items: 36 values. All cases make the same thing, which is checked
before anything is measured.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench import languages
from bench.rounds import Rate, interleave
from hub.model import read_json
from hub.tree import compose
from mappings.compile import mapping

LIBRARY = Path(__file__).parent.parent / "mappings" / "library"
PLACES = {"EUR": 2, "JPY": 0, "KWD": 3}
STAGES = {"paid": "closedwon", "refunded": "closedlost", "cancelled": "closedlost"}
MAPPING = """
mapping: order-to-crm
from: shop.order@1
to: crm.upsert
map:
  contact:
    email: "{{ order.customer.email | trim | lower }}"
    firstname: "{{ order.customer.first_name | default(omit) }}"
    lastname: "{{ order.customer.last_name | default(omit) }}"
    phone: "{{ order.customer.phone | default(order.billing_address.phone) | default(omit) }}"
    country: "{{ order.billing_address.country | default(omit) }}"
    city: "{{ order.billing_address.city | default(omit) }}"
    zip: "{{ order.billing_address.zip | default(omit) }}"
    lifecyclestage: customer
  deal:
    shop_order_id: "{{ order.id }}"
    dealname: "Order {{ order.number }}"
    amount: "{{ order.total | money }}"
    deal_currency_code: "{{ order.currency }}"
    closedate: "{{ order.paid_at | default(order.created_at) }}"
    pipeline: default
    dealstage:
      { $switch: "{{ order.status }}", paid: closedwon, refunded: closedlost,
        cancelled: closedlost, $else: contractsent }
    test: "{{ order.test }}"
  lines:
    $for: line in order.lines
    $value:
      sku: "{{ line.sku }}"
      name: "{{ line.title }}"
      quantity: "{{ line.qty | string }}"
      price: "{{ line.unit_price | money }}"
"""


async def maps(_: Path, count: int, rounds: int) -> list[Rate]:
    """Compare plain Python, the compiled mapping and what else there is, on one paid order."""
    order = _order()
    scope = {"order": order, "event": {"occurred_at": "2026-01-01T00:00:00Z"}}
    cases: dict[str, Callable[[], Any]] = {
        "by hand in Python": lambda: by_hand(order),
        "the compiled mapping": _compiled(scope),
        **languages.same(order),
    }
    wanted = by_hand(order)
    for name, case in cases.items():
        if (made := case()) != wanted:
            raise RuntimeError(f"{name} makes something else: {made}")
    if len(list(_leaves(wanted))) != 36:
        raise RuntimeError("the order has not 36 values")
    cases |= languages.less(order)
    works = {name: _often(case, count) for name, case in cases.items()}
    return await interleave(works, rounds)


def by_hand(order: dict[str, Any]) -> dict[str, Any]:
    """Do what the mapping says, as a careful person would write it."""
    customer, billing = order["customer"], order.get("billing_address", {})
    contact = {"email": customer["email"].strip().lower()}
    for name, source in (("firstname", "first_name"), ("lastname", "last_name")):
        if source in customer:
            contact[name] = customer[source]
    if (phone := customer.get("phone", billing.get("phone"))) is not None:
        contact["phone"] = phone
    for name in ("country", "city", "zip"):
        if name in billing:
            contact[name] = billing[name]
    contact["lifecyclestage"] = "customer"
    return {
        "contact": contact,
        "deal": {
            "shop_order_id": order["id"],
            "dealname": f"Order {order['number']}",
            "amount": _money(order["total"]),
            "deal_currency_code": order["currency"],
            "closedate": order["paid_at"] if "paid_at" in order else order["created_at"],
            "pipeline": "default",
            "dealstage": STAGES.get(order["status"], "contractsent"),
            "test": order["test"],
        },
        "lines": [
            {
                "sku": line["sku"],
                "name": line["title"],
                "quantity": str(line["qty"]),
                "price": _money(line["unit_price"]),
            }
            for line in order["lines"]
        ],
    }


def _money(money: dict[str, Any]) -> str:
    places = PLACES.get(money["currency"], 2)
    return str(Decimal(money["amount"]).scaleb(-places))


def _order() -> dict[str, Any]:
    order: dict[str, Any] = read_json((LIBRARY / "fixtures" / "order_paid.json").read_bytes())
    return order | {"lines": [*order["lines"], order["lines"][0]]}


def _compiled(scope: dict[str, Any]) -> Callable[[], Any]:
    tree, faults = compose(MAPPING, "bench.yaml")
    made, more = mapping(tree, file="bench.yaml") if tree is not None else (None, [])
    if made is None:
        raise RuntimeError(str([*faults, *more]))
    return lambda: made(scope)


def _leaves(value: Any) -> Iterator[Any]:
    if not isinstance(value, dict | list):
        yield value
        return
    for item in value.values() if isinstance(value, dict) else value:
        yield from _leaves(item)


def _often(case: Callable[[], Any], count: int) -> Callable[[], Any]:
    async def work() -> int:
        for _ in range(count):
            case()
        return count

    return work
