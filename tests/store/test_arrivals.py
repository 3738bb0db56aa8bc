"""When webhooks come is kept by the minute; a silence is noted once and ends with the next one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hub.ids import new_id
from hub.rhythm import HOUR, WEEK, Rhythm
from store import arrivals
from store.arrivals import Ended
from store.store import Store

HOURS = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday, nine o'clock


async def note(store, at: datetime, name: str = "crm") -> list[Ended]:
    return await store.write(lambda tx: arrivals.note(tx, {name: at}))


async def kept(store, since: datetime = HOURS) -> tuple[datetime | None, Rhythm]:
    return await store.look(
        lambda tx: (arrivals.last(tx, "crm"), arrivals.rhythm(tx, "crm", since))
    )


async def test_minutes_count_once_whoever_notes_them(store) -> None:
    assert await kept(store) == (None, Rhythm(first=None, busy={}))
    for minute, second in ((0, 1), (0, 59), (59, 3), (7, 0), (0, 1)):
        assert await note(store, HOURS + timedelta(minutes=minute, seconds=second)) == []
    await note(store, HOURS + HOUR)
    await note(store, HOURS + 5 * HOUR, "mail")
    last, rhythm = await kept(store)
    assert last == HOURS + HOUR
    assert rhythm == Rhythm(first=HOURS, busy={HOURS: 3, HOURS + HOUR: 1})
    await store.write(lambda tx: arrivals.forget(tx, HOURS + HOUR))
    assert (await kept(store))[1] == Rhythm(first=HOURS + HOUR, busy={HOURS + HOUR: 1})


async def test_a_silence_is_noted_once_and_ends_once(store) -> None:
    for _ in range(2):
        fell = [
            await store.write(lambda tx: arrivals.fall_silent(tx, "crm", HOURS)) for _ in range(3)
        ]
        assert fell == [True, False, False]
        assert await note(store, HOURS - timedelta(seconds=1)) == []  # noted late: not news
        assert await note(store, HOURS + HOUR, "mail") == []
        assert await note(store, HOURS + HOUR) == [Ended(connector="crm", since=HOURS)]
        assert await note(store, HOURS + 2 * HOUR) == []


async def test_two_nodes_note_one_silence_between_them(store, key, clock, store_url) -> None:
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite serves one hub")
    other = await Store.open(store_url, keys=[key], clock=clock, served=True)
    try:
        for n in range(20):
            name = f"{n}-{new_id('x', clock.now())}"
            fell = await asyncio.gather(
                *(
                    one.write(lambda tx, name=name: arrivals.fall_silent(tx, name, HOURS))
                    for one in (store, other)
                )
            )
            assert sorted(fell) == [False, True]
    finally:
        await other.close()


def rhythm(*weeks: int, hour: datetime = HOURS) -> Rhythm:
    """Say how busy an hour was in the weeks before it, the latest first."""
    return Rhythm(
        first=hour - len(weeks) * WEEK - HOUR,
        busy={hour - n * WEEK: count for n, count in enumerate(weeks, 1)},
    )


USUAL = [
    ((), 0),  # nothing is known
    ((60,), 0),  # one week says nothing
    ((60, 6), 6),  # of two the quieter
    ((0, 60), 0),
    ((60, 5, 7), 6),  # the busiest is left out
    ((1, 1, 1, 1, 60, 60), 1),  # older than five weeks is not looked at
]


@pytest.mark.parametrize(("weeks", "usual"), USUAL)
def test_what_an_hour_usually_brings(weeks, usual) -> None:
    assert rhythm(*weeks).usual(HOURS) == usual


def test_the_first_hour_was_not_heard_from_its_beginning() -> None:
    begun = Rhythm(first=HOURS - 2 * WEEK, busy={HOURS - WEEK: 9, HOURS - 2 * WEEK: 9})
    assert begun.usual(HOURS) == 0


def test_gaps_are_counted_hour_by_hour_and_nights_count_little() -> None:
    found = rhythm(6, 6)
    assert found.gaps(HOURS, HOURS + HOUR) == 6
    assert found.gaps(HOURS + HOUR / 2, HOURS + HOUR / 2 + HOUR / 4) == pytest.approx(1.5)
    assert found.gaps(HOURS - HOUR, HOURS + 3 * HOUR) == 6
    assert found.gaps(HOURS - 500 * WEEK, HOURS + HOUR) == 6  # bounded, however long it is
