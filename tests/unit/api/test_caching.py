"""The catalogue may be kept for a while and asked about by its tag; long answers are packed."""

import pytest

PRODUCT = {
    "title": "Tee",
    "status": "active",
    "variants": [
        {"sku": f"tee-{n}", "prices": [{"amount": 2900, "currency": "EUR"}], "on_hand": 5}
        for n in range(9)
    ],
}


@pytest.fixture
async def product(door):
    made = await (await door.post("/v1/products", PRODUCT)).json()
    return f"/v1/products/{made['id']}"


async def test_the_catalogue_may_be_kept_and_nothing_else(door, product) -> None:
    assert (await door.get(product)).headers["Cache-Control"] == "private, max-age=10"
    assert (await door.get("/v1/orders")).headers["Cache-Control"] == "no-store"


async def test_what_is_known_is_not_sent_again(door, product) -> None:
    first = await door.get(product)
    tag = first.headers["ETag"]
    assert tag.startswith('"1.')
    again = await door.get(product, headers={"If-None-Match": tag})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Cache-Control"] == "private, max-age=10"
    other = await door.get(product, headers={"If-None-Match": '"1.0000000000000000"'})
    assert (other.status, await other.json()) == (200, await first.json())


async def test_the_tag_tells_of_stock_that_moved(door, product) -> None:
    tag = (await door.get(product)).headers["ETag"]
    cart = {"currency": "EUR", "email": "a@example.com", "lines": [{"variant": "tee-0", "qty": 1}]}
    made = await (await door.post("/v1/carts", cart)).json()
    agreed = {"expected_total": made["totals"]["total"]}
    await door.post(f"/v1/carts/{made['id']}/complete", agreed, key="k")
    answer = await door.get(product, headers={"If-None-Match": tag})
    assert answer.status == 200
    assert answer.headers["ETag"] != tag


async def test_long_answers_are_packed_where_the_caller_takes_it(door, product) -> None:
    plain = await door.get(product, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"
    packed = await door.get(product, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert await packed.json() == await plain.json()
    assert int(packed.headers["Content-Length"]) < len(await plain.read()) / 2
    short = await door.get("/v1/orders", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers
