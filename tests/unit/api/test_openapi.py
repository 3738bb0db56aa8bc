"""The document says what the router does: no more, no less."""

import re
from functools import reduce

from hub.api.app import ENDPOINTS, api_app
from hub.api.problems import PROBLEMS


async def test_routes_and_document_are_the_same_set(client, api):
    document = await (await client.get("/openapi.json")).json()
    written = {
        (method.upper(), path.removeprefix("/v1"))
        for path, entry in document["paths"].items()
        for method in entry
    }
    served = {
        (route.method, route.resource.canonical)
        for route in api_app(lambda: api).router.routes()
        if route.method != "HEAD"
    }
    assert written == served
    assert served == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


async def test_every_reference_leads_somewhere(client):
    document = await (await client.get("/openapi.json")).json()
    text = await (await client.get("/openapi.json")).text()
    assert document["openapi"] == "3.1.0"
    refs = set(re.findall(r'"(#/[^"]+)"', text))
    assert "#/components/schemas/event.shop.order.1/$defs/Sum" in refs
    for ref in refs:
        reduce(lambda held, step: held[step], ref[2:].split("/"), document)


async def test_what_is_required_is_said(client):
    document = await (await client.get("/openapi.json")).json()
    complete = document["paths"]["/v1/carts/{id}/complete"]["post"]
    key = next(p for p in complete["parameters"] if p["name"] == "Idempotency-Key")
    assert key["required"] is True
    assert {"200", "201", "400", "401", "402", "403", "404", "409"} <= set(complete["responses"])
    assert "cart_changed" in complete["responses"]["409"]["description"]
    body = document["components"]["schemas"]["Completion"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["expected_total"]


def test_every_endpoint_says_what_it_does_and_refuses_only_listed_things():
    names = [endpoint.do.__name__ for endpoint in ENDPOINTS]
    assert len(names) == len(set(names))
    for endpoint in ENDPOINTS:
        assert endpoint.do.__doc__
        assert endpoint.gives
        assert set(endpoint.refuses) <= set(PROBLEMS)
