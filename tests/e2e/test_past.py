"""The past is not the present: old orders and old events mail nobody and report no conversion."""

from tests.e2e.past import play


async def test_old_orders_and_a_backfill_are_booked_and_nobody_is_told(tmp_path, store_url) -> None:
    verdict = await play(tmp_path, count=40, store=store_url)
    assert verdict.good, str(verdict)
    assert verdict.imported == 40
    assert verdict.refunded == 4
