"""A shipped mapping beside the same thing written by hand in Python."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.rounds import Rate, interleave
from hub.tree import compose
from mappings.compile import mapping

LIBRARY = Path(__file__).parent.parent / "mappings" / "library"
NAME = "order-to-segment"


async def maps(_: Path, count: int, rounds: int) -> list[Rate]:
    """Compare plain Python and the compiled mapping on one paid order."""
    order = json.loads((LIBRARY / "fixtures" / "order_paid.json").read_text())
    order = order.get("order", order)
    path = LIBRARY / f"{NAME}.yaml"
    tree, _ = compose(path.read_text(), str(path))
    if tree is None:
        raise RuntimeError(f"{path} cannot be read")
    compiled, faults = mapping(tree, file=str(path))
    if compiled is None:
        raise RuntimeError(str(faults))
    scope = {"order": order, "event": {"occurred_at": "2026-01-01T00:00:00Z"}}

    async def by_hand() -> int:
        for _ in range(count):
            _by_hand(scope)
        return count

    async def by_mapping() -> int:
        for _ in range(count):
            compiled(scope)
        return count

    return await interleave({"by hand in Python": by_hand, f"mapping {NAME}": by_mapping}, rounds)


def _by_hand(scope: dict[str, Any]) -> dict[str, Any]:
    """Do roughly what the mapping says, without its checks."""
    order = scope["order"]
    return {
        "userId": order["customer"]["id"],
        "event": "Order Completed",
        "timestamp": scope["event"]["occurred_at"],
        "properties": {
            "order_id": order["id"],
            "currency": order["currency"],
            **{
                name: Decimal(order[key]["amount"]) / 100
                for name, key in (("total", "total"), ("shipping", "shipping"), ("tax", "tax"),
                                  ("discount", "discount"))
            },
            "products": [
                {
                    "sku": line["sku"],
                    "name": line["title"],
                    "quantity": line["qty"],
                    "price": Decimal(line["unit_price"]["amount"]) / 100,
                }
                for line in order["lines"]
            ],
        },
    }  # fmt: skip
