"""What the doubles did for one order: read from their own ledgers, never from the hub."""

from typing import Any

from tests.e2e.shop import Shop

Effect = dict[str, Any]


async def told(shop: Shop, order: dict[str, Any]) -> dict[str, list[Effect]]:
    """Give the effects that belong to an order, by kind."""
    lines = {line["id"] for line in order["lines"]}
    crm = await shop.ledger("hubspot")
    mine = {
        "deal": [e for e in crm if e["kind"] == "deal" and e["key"] == order["id"]],
        "deal_update": [e for e in crm if e["kind"] == "deal_update" and e["key"] == order["id"]],
        "line_item": [e for e in crm if e["kind"] == "line_item" and e["key"] in lines],
        "contact": [
            e for e in crm if e["kind"] == "contact" and e["key"] == order["customer"]["email"]
        ],
    }
    ids = {effect["id"] for effect in mine["deal"]}
    mine["association"] = [
        e for e in crm if e["kind"] == "association" and e["id"].partition("-")[0] in ids
    ]
    mine["mail"] = [
        e
        for e in await shop.ledger("sendgrid")
        if e["data"]["custom_args"].get("hub_order") == order["id"]
    ]
    mine["track"] = [
        e
        for e in await shop.ledger("segment")
        if e["data"]["properties"]["order_id"] == order["id"]
    ]
    return mine


async def assert_told_once(shop: Shop, order: dict[str, Any]) -> None:
    """Assert the main job's whole effect: everything there, under its key, nothing twice."""
    found = await told(shop, order)
    counts = {kind: len(effects) for kind, effects in found.items()}
    lines = len(order["lines"])
    assert counts == {
        "contact": 1,
        "deal": 1,
        "deal_update": 0,
        "line_item": lines,
        "association": 1 + lines,
        "mail": 1,
        "track": 1,
    }
    [contact], [deal] = found["contact"], found["deal"]
    ties = {f"deal {deal['id']} contact {contact['id']}"}
    ties |= {f"deal {deal['id']} line_item {line['id']}" for line in found["line_item"]}
    assert {tie["key"] for tie in found["association"]} == ties
    uids = {job["action"]: job["id"] for job in await shop.jobs(order["id"])}
    assert found["mail"][0]["key"] == uids["send_template"]
    assert found["track"][0]["key"] == uids["track"]
    assert found["mail"][0]["data"]["to"] == order["customer"]["email"]
