"""Many buyers at once over HTTP, from several clients: what there is is sold once."""

from bench.buyers import opened
from hub.shop.verify import drifted_orders
from store import shop_checks, verify

BUYERS, STOCK = 150, 25


async def test_the_last_items_are_sold_once_and_the_others_are_told_clearly(tmp_path):
    market, end = await opened(f"sqlite:///{tmp_path}/hub.db")
    try:
        told = await market.sell(BUYERS, STOCK)
        assert (told.count(201), told.count(409)) == (STOCK, BUYERS - STOCK)
        async with market.store.read() as connection:
            checks = await verify.verify(connection, (*verify.CHECKS, *shop_checks.CHECKS))
        assert [one["name"] for one in checks if one["broken"]] == []
        assert await market.store.look(lambda tx: list(drifted_orders(tx))) == []
    finally:
        await end()
