"""What events carry and actions take, in the OpenAPI document and on the page."""

import re
from dataclasses import replace
from functools import partial

import pytest
import schemathesis
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from hub.api import docs, openapi, published
from hub.api.app import ENDPOINTS
from hub.config.events import Events
from hub.shop.vocabulary import SCHEMAS, SHOP_EVENTS

PRICE = {"amount": 990, "currency": "EUR"}
MUG = {"title": "Mug", "variants": [{"sku": "MUG", "prices": [PRICE], "on_hand": 5}]}
CART = {"currency": "EUR", "email": "ann@example.com", "lines": [{"variant": "MUG", "qty": 2}]}
PAID = {"amount": 1980, "currency": "EUR"}
BUYING = {"expected_total": PAID, "payment": {"connector": "pay", "method": "intent"}}


@pytest.fixture
async def document(door):
    return await (await door.get("/openapi.json")).json()


def checks(document, schema):
    whole = Resource.from_contents(document, default_specification=DRAFT202012)
    lead = {"$ref": "urn:hub" + schema["$ref"]} if "$ref" in schema else schema
    return Draft202012Validator(lead, registry=Registry().with_resource("urn:hub", whole))


def test_the_document_is_valid_with_them_and_without(config) -> None:
    bare = openapi.document(ENDPOINTS, "0.1.0")
    for one in (bare, published.into(bare, config)):
        assert schemathesis.openapi.from_dict(one).validate() is None


async def test_every_event_of_the_shop_and_of_its_own_is_in_it(document) -> None:
    assert {*SHOP_EVENTS, "loyalty.points_changed", "form.newsletter"} == {*document["webhooks"]}
    held = document["components"]["schemas"]
    for name in SCHEMAS:
        assert held[f"event.{name.replace('@', '.')}"]["properties"]
    assert held["event.loyalty.points_changed"]["properties"]["points"]["minimum"] == 0
    assert held["event.hubspot.contact.creation"]["properties"]
    assert held["action.stripe.refund"]["properties"]["amount"]
    assert not [key for key in held if not re.fullmatch(r"[A-Za-z0-9._-]+", key)]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_without_a_key_nothing_is_told_that_the_configuration_adds(client, doors, path):
    names = "stripe", "hubspot", "segment", "loyalty", "newsletter"
    told = await (await client.get(path)).text()
    assert [name for name in names if name in told.lower()] == []
    assert "shop.order.paid" in told
    nobodys = {"Authorization": "Bearer hub_nobody"}
    assert told == await (await client.get(path, headers=nobodys)).text()
    whole = await doors["readonly"].get(path)
    assert "stripe.refund" in await whole.text()
    assert whole.headers["Vary"] == "Authorization"


async def test_real_events_are_as_the_document_says(door, provider, document) -> None:
    provider.answers = [{"client_secret": "s"}]
    await door.post("/v1/products", MUG)
    cart = await (await door.post("/v1/carts", CART)).json()
    sold = await (await door.post(f"/v1/carts/{cart['id']}/complete", BUYING, key="c1")).json()
    await provider.fact("captured", sold["payment"]["id"], **PAID)
    points = {"type": "loyalty.points_changed", "data": {"points": 5}}
    await door.post("/v1/events", points, key="p1")
    feed = (await (await door.get("/v1/events?limit=100")).json())["items"]
    assert {"shop.product.created", "shop.order.paid", "loyalty.points_changed"} <= {
        event["type"] for event in feed
    }
    for event in feed:
        at = f"#/webhooks/{event['type']}/post/requestBody/content/application~1json/schema"
        check = checks(document, {"$ref": at})
        check.validate(event)
        assert not check.is_valid(event | {"data": 5})


async def test_the_page_shows_them_and_runs_none_of_their_words(config) -> None:
    bad = "<script>alert(1)</script>"
    schema = {"type": "object", "properties": {bad: {"enum": [bad]}}}
    known = Events(data={"loyalty.x": "loyalty.x"}, schema=lambda _: schema)
    written = docs.Written(partial(openapi.document, ENDPOINTS, "1"))
    page = written.of(replace(config, known=known)).page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "<code>loyalty.x</code>" in page
    assert "<code>stripe.refund</code>" in page


ENDLESS = {
    "type": "object",
    "properties": {
        "self": {"$ref": "#"},
        "list": {"$ref": "#/$defs/list"},
        "either": {"anyOf": [{"$ref": "#/properties/either"}, {"type": ["string", "null"]}]},
        "nowhere": {"$ref": "#/$defs/none"},
        "$ref": {"const": {"$ref": "#"}},
        "default": {"$ref": "#/$defs/loop"},
    },
    "$defs": {
        "list": {"type": "array", "items": {"$ref": "#/$defs/list"}},
        "loop": {"$ref": "#/$defs/loop"},
    },
}


def test_a_schema_that_leads_round_in_circles_ends(config) -> None:
    known = Events(data={"loyalty.x": "loyalty.x"}, schema=lambda _: ENDLESS)
    bare = openapi.document(ENDPOINTS, "1")
    made = replace(config, known=known, events={"loyalty.x": ENDLESS})
    held = published.into(bare, made)["components"]["schemas"]["event.loyalty.x"]
    assert held["properties"]["default"] == {"$ref": f"{published.REF}event.loyalty.x/$defs/loop"}
    assert held["properties"]["$ref"] == ENDLESS["properties"]["$ref"]
    assert docs.Written(lambda: bare).of(made).page.count("<code>self</code>") < docs.MOST_FIELDS


async def test_another_configuration_in_force_is_what_is_told(config) -> None:
    written = docs.Written(partial(openapi.document, ENDPOINTS, "1"))
    first = written.of(config)
    assert written.of(config) is first
    assert b"loyalty.points_changed" in first.document
    assert b"loyalty.points_changed" not in written.of(replace(config, known=Events())).document
