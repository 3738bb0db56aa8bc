"""Stripe's events as a source: every event once a reading, resumable from every page."""

from datetime import timedelta

import pytest

from hub import Secret
from hub.http import Outbound
from tests.connectors.stripe_stage import staged

OVERLAP = timedelta(minutes=10)


@pytest.fixture
async def stage(aiohttp_server):
    async with staged(aiohttp_server) as made:
        yield made


@pytest.fixture
async def stripe(stage):
    """Our connector, with a way out for its sources."""
    made = stage.connector()
    async with Outbound(stage.clock) as out:
        way = out.client(type(made), made.settings, name="stripe", allow_private=["127.0.0.1"])
        yield type(made)("stripe", made.settings, way)


async def read(stripe, cursor, *, between=None):
    """Read to the end; give the events' ids in order, and the last cursor and every one before."""
    found, cursors = [], [cursor]
    while True:
        page = await stripe.events(cursors[-1], OVERLAP)
        found += [record["id"] for record in page.records]
        cursors.append(page.cursor)
        if not page.more:
            return found, cursors
        if between is not None:
            between()


def tell(stage, count: int, kind: str = "payment_intent.succeeded") -> list[str]:
    """Let the double tell so many events, a second apart; give their ids."""
    before = set(stage.double.events)
    for _ in range(count):
        stage.clock.advance(1)
        stage.double._tell(kind, {"id": "pi_1", "object": "payment_intent"})
    return [ident for ident in stage.double.events if ident not in before]


async def test_an_empty_list_is_read(stripe) -> None:
    assert (await read(stripe, None))[0] == []


async def test_every_event_is_read_once_over_all_pages(stage, stripe) -> None:
    told = tell(stage, 130) + tell(stage, 120, "payout.paid") + tell(stage, 1, "refund.created")
    found, cursors = await read(stripe, None)
    assert sorted(found) == sorted(told)
    assert len(cursors) > 4  # several pages of several parts


async def test_a_page_is_in_the_order_of_time(stage, stripe) -> None:
    told = tell(stage, 20)
    page = await stripe.events(None, OVERLAP)
    assert [record["id"] for record in page.records] == told


async def test_types_nobody_reads_are_left_out(stage, stripe) -> None:
    tell(stage, 3, "invoice.created")
    assert (await read(stripe, None))[0] == []


async def test_it_resumes_from_every_page(stage, stripe) -> None:
    told = tell(stage, 250) + tell(stage, 120, "payout.paid")
    whole, cursors = await read(stripe, None)
    pages = [(await stripe.events(cursor, OVERLAP)).records for cursor in cursors[:-1]]
    assert sorted(whole) == sorted(told)
    assert [record["id"] for page in pages for record in page] == whole


async def test_the_next_reading_begins_where_the_last_ended(stage, stripe) -> None:
    tell(stage, 5)
    stage.clock.advance(3600)
    late = tell(stage, 1)
    _, cursors = await read(stripe, None)
    stage.clock.advance(3600)
    new = tell(stage, 2)
    found, _ = await read(stripe, cursors[-1])
    assert found == late + new  # and what lies within the overlap, again


async def test_what_comes_while_it_reads_is_not_lost(stage, stripe) -> None:
    told = tell(stage, 150) + tell(stage, 150, "payout.paid")
    first, cursors = await read(
        stripe, None, between=lambda: (tell(stage, 1), tell(stage, 1, "payout.paid"))
    )
    second, _ = await read(stripe, cursors[-1])
    assert set(told) <= set(first)
    assert set(first) | set(second) == set(stage.double.events)


async def test_it_begins_at_a_time(stage, stripe) -> None:
    tell(stage, 3)
    stage.clock.advance(60)
    begin = stage.clock.now().isoformat()
    told = tell(stage, 2)
    assert (await read(stripe, begin))[0] == told


async def test_a_refused_key_is_told(stage) -> None:
    made = stage.connector("sk_test_x")
    settings = made.settings.model_copy(update={"api_key": Secret("revoked")})
    async with Outbound(stage.clock) as out:
        way = out.client(type(made), settings, name="stripe", allow_private=["127.0.0.1"])
        with pytest.raises(Exception, match="stripe"):
            await type(made)("stripe", settings, way).events(None, OVERLAP)
