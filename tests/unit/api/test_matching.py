"""If-Match: nobody changes what has changed since they read it."""

import pytest
from pydantic import BaseModel

from hub.api import once
from hub.api.endpoint import SHOP, Answer, Endpoints
from hub.shop.catalog import NewProduct, create_product
from store import aggregates
from tests.unit.api.conftest import problem


class Title(BaseModel):
    title: str


@pytest.fixture
def endpoints():
    table = Endpoints()

    @table.patch("/things/{id}", may=SHOP, takes=Title)
    async def rename(ask):
        def work(tx):
            row = aggregates.lock(tx, "product", ask.part("id"))
            ask.match.check(row)
            made = aggregates.change(tx, "product", row.id, title=ask.item.title)
            return Answer(body={"title": made.title}, version=made.version, subject=made.id)

        return await once.change(ask, work)

    return table


@pytest.fixture
async def thing(store, rules):
    """A product at version 1; gives its path."""
    wanted = NewProduct(title="Tee")
    made = await store.change(lambda tx, item: create_product(tx, item, rules), wanted)
    return f"/v1/things/{made['product']['id']}"


async def rename(door, thing: str, title: str, **headers: str):
    return await door.send("PATCH", thing, json={"title": title}, headers=headers)


@pytest.mark.parametrize("tag", ['"1"', '"7", "1"', "*", ' "1" '])
async def test_who_has_read_the_latest_may_change_it(door, thing, tag) -> None:
    answer = await rename(door, thing, "Shirt", **{"If-Match": tag})
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize(
    "tag", ['"0"', '"2"', 'W/"1"', "1", '"1', '"\u0661"', '"abc"', '"' + "1" * 99]
)
async def test_who_has_not_is_told_where_it_is(door, thing, tag) -> None:
    answer = await rename(door, thing, "Shirt", **{"If-Match": tag})
    await problem(answer, "version_conflict")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("headers", [{}, {"If-Match": ""}])
async def test_without_it_nothing_is_changed(door, thing, headers) -> None:
    await problem(await rename(door, thing, "Shirt", **headers), "precondition_required")
    assert (await rename(door, thing, "Shirt", **{"If-Match": '"1"'})).status == 200


async def test_of_two_at_once_one_is_refused(door, thing) -> None:
    first = await rename(door, thing, "Shirt", **{"If-Match": '"1"'})
    second = await rename(door, thing, "Jumper", **{"If-Match": '"1"'})
    assert first.status == 200
    await problem(second, "version_conflict")
