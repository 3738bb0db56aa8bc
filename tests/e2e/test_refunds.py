"""Money given back, through the API or at the provider: told once, like everything else."""

from typing import Any

from tests.e2e.shop import Shop, until
from tests.e2e.told import told


async def test_a_refund_through_the_api_is_done_and_told_once(shop: Shop) -> None:
    order = await shop.buys("refund@example.com", "tee", "mug")
    [payment] = (await shop.get(f"/v1/orders/{order['id']}?expand=payments"))["payments"]
    wish = {"amount": order["total"], "reason": "requested_by_customer"}
    path = f"/v1/payments/{payment['id']}/refunds"
    status, asked = await shop.ask("POST", path, wish, key="refund-1")
    assert (status, asked["state"]) == (202, "requested")
    await _is_refunded(shop, order)
    status, again = await shop.ask("POST", path, wish, key="refund-1")
    assert (status, again["id"]) == (202, asked["id"])
    assert (await shop.get(f"/v1/refunds/{asked['id']}"))["state"] == "succeeded"
    made = [e for e in await shop.ledger("stripe") if e["kind"] == "refund"]
    assert [e["key"] for e in made if _of(e, payment)] == [asked["id"]]
    await _assert_told_of_the_refund_once(shop, order)


async def test_a_refund_at_the_provider_counts_like_ours_and_is_told_once(shop: Shop) -> None:
    order = await shop.buys("dashboard@example.com", "tee")
    [payment] = (await shop.get(f"/v1/orders/{order['id']}?expand=payments"))["payments"]
    intent = {"payment_intent": payment["provider_ref"]}
    await shop.stripe("/_dashboard/refunds", intent)
    await _is_refunded(shop, order)
    [payment] = (await shop.get(f"/v1/orders/{order['id']}?expand=payments"))["payments"]
    [refund] = payment["refunds"]
    assert (refund["source"], refund["state"]) == ("provider", "succeeded")
    assert refund["amount"] == order["total"]
    await _assert_told_of_the_refund_once(shop, order)


async def test_a_part_given_back_leaves_the_rest_and_no_more(shop: Shop) -> None:
    order = await shop.buys("part@example.com", "tee")
    [payment] = (await shop.get(f"/v1/orders/{order['id']}?expand=payments"))["payments"]
    path = f"/v1/payments/{payment['id']}/refunds"
    part = {"amount": 1000, "currency": "EUR"}
    asked = await shop.make(path, {"amount": part})

    async def given() -> bool:
        return (await shop.get(f"/v1/refunds/{asked['id']}"))["state"] == "succeeded"

    await until(given, "the part is given back")
    found = await shop.get(f"/v1/orders/{order['id']}")
    assert (found["payment_status"], found["refunded"]) == ("partially_refunded", part)
    left = order["total"]["amount"] - 1000
    status, refusal = await shop.ask("POST", path, {"amount": order["total"]})
    assert (status, refusal["code"]) == (409, "amount_exceeds_captured")
    assert refusal["refundable"] == {"amount": left, "currency": "EUR"}
    await shop.over(order["id"])
    notes = [e["data"]["data"] for e in (await told(shop, order))["mail"]][1:]
    assert [(note["refunded"], note["in_full"]) for note in notes] == [("€10.00", False)]


async def _is_refunded(shop: Shop, order: dict[str, Any]) -> None:
    async def met() -> bool:
        found = await shop.get(f"/v1/orders/{order['id']}")
        return bool(found["payment_status"] == "refunded")

    await until(met, f"{order['id']} is refunded")
    await shop.over(order["id"])


async def _assert_told_of_the_refund_once(shop: Shop, order: dict[str, Any]) -> None:
    found = await told(shop, order)
    lines = len(order["lines"])
    assert {kind: len(effects) for kind, effects in found.items()} == {
        "contact": 1,
        "deal": 1,
        "deal_update": 1,
        "line_item": lines,
        "association": 1 + lines,
        "mail": 2,
        "track": 2,
    }
    assert [e["data"]["event"] for e in found["track"]] == ["Order Completed", "Order Refunded"]
    assert found["deal_update"][0]["data"]["properties"]["dealstage"] == "closedlost"
    assert len({e["key"] for e in found["mail"] + found["track"]}) == 4
    events = await shop.events(order["id"])
    assert events.count("shop.order.refunded") == events.count("shop.refund.succeeded") == 1
    for job in await shop.jobs(order["id"]):
        told_before = (job["state"], job["action"]) == ("skipped", "record_payment")
        assert job["state"] == "done" or told_before, job


def _of(effect: dict[str, Any], payment: dict[str, Any]) -> bool:
    return bool(effect["data"].get("payment_intent") == payment["provider_ref"])
