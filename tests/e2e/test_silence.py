"""Webhooks that never come, and a store that goes away for an hour: every order is settled."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from hub.clock import ManualClock
from tests.e2e.inside import inside
from tests.e2e.silence import INTERVAL, paid, play

ORDERS = 6


@pytest.fixture
def unheard() -> Iterator[None]:
    """Log nothing: an hour of failing duties is thousands of tracebacks."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


async def test_orders_nobody_told_of_are_settled_within_two_intervals(tmp_path) -> None:
    verdict = await play(tmp_path, count=20)
    assert verdict.good, str(verdict)
    assert verdict.recovered + verdict.asked >= 20


async def test_an_hour_without_the_store_loses_no_payment(
    tmp_path, crashable, crashable_database, unheard
) -> None:
    url = crashable_database.render_as_string(hide_password=False)
    async with inside(tmp_path, clock=ManualClock(), store=url) as house:
        bought = [await house.shop.orders(f"away-{n}@example.com") for n in range(ORDERS)]
        stripe = house.doubles["stripe"]
        await house.rest()
        stripe.state.deliveries.clear()
        with crashable.away():
            for _, payment in bought[1:]:
                await house.shop.pays(payment)
            await house.pass_by(3600, step=20)
            assert {one["status"] for one in stripe.state.deliveries} == {503}
            await house.shop.pays(bought[0][1])  # just before it comes back: Stripe sends it again
        seconds = 0
        while await paid(house) < ORDERS and seconds < 2 * INTERVAL:
            await house.pass_by(30)
            seconds += 30
        assert await paid(house) == ORDERS
        assert {one["status"] for one in stripe.state.deliveries} == {200, 503}
