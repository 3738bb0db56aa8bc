"""webhook.silent: told once when many usual gaps pass in silence, and once when it is over."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from hub.config.instances import ConnectorConfig
from hub.config.settings import Silence
from hub.secrets import Secret
from hub.silences import Silences, heard_again
from store import arrivals, cursors
from store.cursors import Source
from store.store import Store
from tests.webhooks.conftest import NEW, Toy, body

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 4, 6, tzinfo=UTC)
OPEN = range(8, 20)


def silences(bench, *, began: datetime = MONDAY, store=None, **terms) -> Silences:
    """Watch the toy, as a node that began to listen some time ago."""
    toy = ConnectorConfig(
        name="toy", type="toy", cls=Toy, settings=None, account="toy",
        secrets=(SimpleNamespace(value=Secret("a", "a"), until=None),), silence=Silence(**terms),
    )  # fmt: skip
    config = SimpleNamespace(connectors={"toy": toy})
    return Silences(store or bench.store, config, bench.clock, began=began)


async def learn(bench, weeks: int, *, weekdays: int = 5) -> None:
    """Have the toy's webhooks come every tenth minute of office hours, and turn the clock on."""

    def note(tx) -> None:
        for day in range(7 * weeks):
            for hour in OPEN if day % 7 < weekdays else ():
                for minute in range(0, 60, 10):
                    at = MONDAY + day * DAY + hour * HOUR + timedelta(minutes=minute)
                    arrivals.note(tx, {"toy": at})

    await bench.store.write(note)
    turn(bench, MONDAY + weeks * 7 * DAY)


def turn(bench, at: datetime) -> None:
    bench.clock.advance((at - bench.clock.now()).total_seconds())


async def follow(bench) -> None:
    later = bench.clock.now() + 365 * DAY
    await bench.store.write(lambda tx: cursors.know(tx, Source("toy"), cursor="", due=later))


async def due(bench) -> datetime:
    async with bench.store.read() as connection:
        [row] = await cursors.shown(connection)
    return datetime.fromisoformat(row["due_at"])


@pytest.fixture
def early(bench):
    """Set the clock back to before what is learnt; the bench's own stands weeks later."""
    bench.clock._now = MONDAY
    return bench


async def hourly(bench, watch: Silences, until: datetime) -> list[datetime]:
    """Look every ten minutes; give when a silence was told of."""
    told = []
    while bench.clock.now() < until:
        turn(bench, bench.clock.now() + timedelta(minutes=10))
        if await watch.once():
            told.append(bench.clock.now())
    return told


async def test_a_silence_of_ten_usual_gaps_is_told_once_and_pulls(early) -> None:
    await learn(early, 3)
    await follow(early)
    monday = early.clock.now()
    with capture_logs() as said:
        told = await hourly(early, silences(early), monday + 3 * DAY)
    # Six busy minutes an hour from eight o'clock on: ten of them are missing after 1 h 40 min.
    assert told == [monday + timedelta(hours=9, minutes=40)]
    [alert] = [one for one in said if one["event"] == "alert"]
    assert (alert["signal"], alert["about"]) == ("webhook.silent", "toy")
    assert "no webhook of toy has come for 2 days, 13:50" in alert["text"]
    assert await due(early) == told[0]


async def test_nights_and_weekends_are_as_quiet_as_usual(early) -> None:
    await learn(early, 4)
    turn(early, early.clock.now() - 3 * DAY + 20 * HOUR)  # Friday evening, after the last one
    assert await hourly(early, silences(early), early.clock.now() + 2 * DAY + 11 * HOUR) == []


async def test_one_week_tells_nothing_and_a_quiet_week_makes_no_silence(early) -> None:
    await learn(early, 1)
    assert await hourly(early, silences(early), early.clock.now() + 7 * DAY) == []


FEW = [({"times": 0}, None), ({"at_least": "6h"}, 14), ({"times": 30}, 13), ({"times": 4}, 9)]


@pytest.mark.parametrize(("terms", "hour"), FEW)
async def test_an_admin_may_be_told_later_sooner_or_never(early, terms, hour) -> None:
    await learn(early, 3)
    monday = early.clock.now()
    began = monday + 8 * HOUR
    told = await hourly(early, silences(early, began=began, **terms), monday + DAY)
    assert [at.hour for at in told] == ([] if hour is None else [hour])


async def test_time_in_which_the_hub_did_not_run_is_no_silence(early) -> None:
    await learn(early, 3)
    monday = early.clock.now()
    turn(early, monday + 15 * HOUR)
    watch = silences(early, began=early.clock.now())
    told = await hourly(early, watch, monday + DAY)
    assert told == [monday + timedelta(hours=16, minutes=40)]


async def test_the_next_webhook_ends_it_once_and_it_can_fall_silent_again(early) -> None:
    await learn(early, 3)
    watch = silences(early)
    monday = early.clock.now()
    assert len(await hourly(early, watch, monday + 15 * HOUR)) == 1
    assert await early.post(body("e1")) == 200
    with capture_logs() as said:
        for _ in range(2):
            heard_again(await early.receiver.note_secrets(), early.clock.now())
    assert [one["text"] for one in said] == ["webhooks of toy come again, after 2 days, 19:10"]
    assert await hourly(early, watch, monday + 19 * HOUR) == [
        monday + timedelta(hours=16, minutes=50)  # ten gaps after the minute it came in
    ]


async def test_a_refused_webhook_is_not_heard(early) -> None:
    await learn(early, 3)
    assert await early.post(body("e1"), early.signed(body("e1"), NEW, late=301)) == 401
    await early.receiver.note_secrets()
    last = await early.store.look(lambda tx: arrivals.last(tx, "toy"))
    assert last == MONDAY + 18 * DAY + timedelta(hours=19, minutes=50)


async def test_of_two_nodes_one_tells(early, store_url) -> None:
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite serves one hub")
    await learn(early, 3)
    keys = [Secret(key, "other") for key in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]]
    other = await Store.open(store_url, keys=keys, clock=early.clock, served=True)
    try:
        turn(early, early.clock.now() + 10 * HOUR)
        told = [await silences(early, store=one).once() for one in (early.store, other)]
        assert told == [["toy"], []]
    finally:
        await other.close()
