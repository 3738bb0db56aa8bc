"""Public forms: no key, each an event; robots and floods are kept out."""

import pytest

from hub.api.endpoint import Api
from hub.config.forms import Form
from hub.gcra import Meter, Quota
from tests.unit.api.conftest import problem

NEWSLETTER = Form.model_validate(
    {
        "fields": {
            "email": {"type": "email", "required": True},
            "first_name": {"max": 10},
            "news": {"type": "bool"},
        },
        "honeypot": "website",
    }
)


@pytest.fixture
def api(store, clock, wait_for, rules):
    return Api(
        store=store, clock=clock, wait_for=wait_for, rules=rules, forms={"newsletter": NEWSLETTER},
        form_meter=Meter(Quota(3, 60.0)),
    )  # fmt: skip


async def told(doors):
    return (await (await doors["admin"].get("/v1/events?types=form.*")).json())["items"]


async def test_a_form_becomes_an_event(client, doors):
    sent = {"email": " Ann@Example.com", "first_name": "Ann", "news": True}
    answer = await client.post("/v1/forms/newsletter", json=sent)
    assert answer.status == 202
    (event,) = await told(doors)
    assert event["type"] == "form.newsletter"
    assert event["data"] == {"email": "ann@example.com", "first_name": "Ann", "news": True}


async def test_a_robot_is_answered_alike_and_heard_by_nobody(client, doors):
    sent = {"email": "bot@example.com", "website": "https://spam.example"}
    assert (await client.post("/v1/forms/newsletter", json=sent)).status == 202
    assert await told(doors) == []


@pytest.mark.parametrize(
    "sent",
    [{}, {"email": "ann"}, {"email": ""}, {"email": True}, {"email": "a@b.de", "age": "7"},
     {"email": "a@b.de", "first_name": "A" * 11}, {"email": "a@b.de", "news": "yes"}],
)  # fmt: skip
async def test_what_is_not_filled_in_is_refused_without_repeating_it(client, doors, sent):
    body = await problem(await client.post("/v1/forms/newsletter", json=sent), "validation_error")
    assert body["errors"]
    assert "a@b.de" not in str(body)
    assert await told(doors) == []


async def test_there_is_no_other_form(client):
    await problem(await client.post("/v1/forms/none", json={}), "not_found")


async def test_a_flood_from_one_address_is_turned_away(client, clock):
    for _ in range(3):
        assert (await client.post("/v1/forms/newsletter", json={"email": "a@b.de"})).status == 202
    refused = await client.post("/v1/forms/newsletter", json={"email": "a@b.de"})
    await problem(refused, "quota_exceeded")
    assert int(refused.headers["Retry-After"]) > 0
    clock.advance(60)
    assert (await client.post("/v1/forms/newsletter", json={"email": "a@b.de"})).status == 202
