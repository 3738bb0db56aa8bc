"""G2: many buyers at once over HTTP, from several clients: what there is is sold once."""

from sqlalchemy import select

from bench.buyers import opened
from hub.shop.verify import drifted_orders
from store import catalog_schema, shop_checks, verify

BUYERS, STOCK = 600, 100


async def test_the_last_items_are_sold_once_and_the_others_are_told_clearly(store_url):
    market, end = await opened(store_url)
    try:
        told = await market.sell(BUYERS, STOCK)
        assert (told.count(201), told.count(409)) == (STOCK, BUYERS - STOCK)
        async with market.store.read() as connection:
            checks = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
            [row] = (await connection.execute(select(catalog_schema.stock))).all()
        assert (row.on_hand, row.reserved) == (STOCK, STOCK)
        assert [one["name"] for one in checks if one["broken"]] == []
        assert await market.store.look(lambda tx: list(drifted_orders(tx))) == []
    finally:
        await end()
