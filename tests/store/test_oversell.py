"""Many tills sell the last of a stock at once: none is sold twice, on either store."""

import asyncio
from datetime import timedelta

from hub.effects import Effect, keyed
from hub.errors import Refused
from hub.shop.backend import Shop
from hub.shop.rules import ShopRules
from store import catalog_schema, schema, shop_checks, verify

DAY = timedelta(hours=24)
PAYS = {
    "create_payment": keyed(DAY),
    "create_checkout": keyed(DAY),
    "refund": keyed(DAY),
    "retrieve_payment": Effect("read"),
}
SHOP = Shop(ShopRules(currencies=("EUR",), payment_connectors={"stripe": PAYS}))
TILLS, STOCK = 24, 8


async def do(store, name: str, **fields):
    action = SHOP.actions[name]
    return await store.change(action.work, action.model.model_validate(fields))


async def sells(store, till: int) -> bool:
    """Sell a mug and a cup, named in one order or the other; False where they are sold out."""
    skus = ["MUG", "CUP"] if till % 2 else ["CUP", "MUG"]
    lines = [{"variant": sku, "qty": 1} for sku in skus]
    made = await do(store, "create_cart", currency="EUR", email=f"{till}@example.com", lines=lines)
    cart = made["cart"]
    try:
        await do(
            store, "complete_cart", cart=cart["id"], expected_total=cart["totals"]["total"],
            payment={"connector": "stripe"},
        )  # fmt: skip
    except Refused as no:
        return no.code != "out_of_stock"
    return True


async def test_no_more_is_sold_than_there_is(store) -> None:
    for sku in ("MUG", "CUP"):
        price = {"amount": 1250, "currency": "EUR"}
        variant = {"sku": sku, "prices": [price], "on_hand": STOCK}
        await do(store, "create_product", title=sku, variants=[variant])
    sold = await asyncio.gather(*(sells(store, till) for till in range(TILLS)))
    assert sum(sold) == STOCK
    async with store.read() as connection:
        stock = [tuple(r) for r in await connection.execute(
            catalog_schema.stock.select().with_only_columns(
                catalog_schema.stock.c.on_hand, catalog_schema.stock.c.reserved))]  # fmt: skip
        assert stock == [(STOCK, STOCK)] * 2
        checks = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
        assert [one for one in checks if one["broken"]] == []
        jobs = await connection.execute(schema.jobs.select())
        assert len(jobs.all()) == STOCK


async def test_a_broken_sum_is_named_in_plain_numbers(store) -> None:
    price = {"amount": 1250, "currency": "EUR"}
    variant = {"sku": "MUG", "prices": [price], "on_hand": STOCK}
    await do(store, "create_product", title="Mug", variants=[variant])
    await store.write(lambda tx: tx.run(catalog_schema.stock.update().values(on_hand=STOCK + 1)))
    async with store.read() as connection:
        checks = await verify.verify(connection, shop_checks.CHECKS)
    [broken] = [one for one in checks if one["broken"]]
    assert broken["name"] == "a stock is the sum of its movements"
    assert [type(v) for v in broken["rows"][0].values()] == [str, str, int, int, int, int]
