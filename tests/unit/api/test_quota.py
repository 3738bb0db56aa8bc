"""Each key has its calls; every answer says how many are left, and a refusal how long to wait."""

import dataclasses

import pytest

from hub.gcra import Meter, Quota
from tests.unit.api.conftest import problem


@pytest.fixture
def api(api):
    return dataclasses.replace(api, meter=Meter(Quota(3, 60)))


async def test_a_key_has_its_calls_and_is_told_of_them(doors, clock) -> None:
    door = doors["shop"]
    left = [(await door.get("/v1/orders")).headers["RateLimit"] for _ in range(3)]
    assert left == ['"default";r=2;t=20', '"default";r=1;t=40', '"default";r=0;t=60']
    refused = await door.get("/v1/orders")
    told = await problem(refused, "quota_exceeded")
    assert told["violated-policies"] == ["default"]
    assert refused.headers["Retry-After"] == "20"
    assert refused.headers["RateLimit-Policy"] == '"default";q=3;w=60'
    assert (await doors["admin"].get("/v1/orders")).status == 200  # another key has its own
    clock.advance(20)
    assert (await door.get("/v1/orders")).status == 200


async def test_refusals_say_it_too_and_strangers_learn_nothing(doors, client) -> None:
    refused = await doors["shop"].get("/v1/orders?no=such")
    await problem(refused, "unknown_parameter")
    assert refused.headers["RateLimit"] == '"default";r=2;t=20'
    assert "RateLimit" not in (await client.get("/v1/orders")).headers
