"""The stream: the feed's events, as they are committed, resumed where it was cut."""

import asyncio
import json

import pytest

from tests.unit.api.conftest import problem

PRODUCT = {"title": "Mug", "variants": []}


async def heard(answer, count):
    """Read so many events off a stream."""
    events = []
    while len(events) < count:
        line = (await asyncio.wait_for(answer.content.readline(), 30)).decode().rstrip("\n")
        if line.startswith("data: "):
            events.append(json.loads(line.removeprefix("data: ")))
    return events


@pytest.fixture
async def clock_runs(clock):
    """Let the manual clock go on, so that the stream looks again."""

    async def run():
        while True:
            await asyncio.sleep(0)
            clock.advance(0.5)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(run())
    yield
    task.cancel()


@pytest.mark.usefixtures("clock_runs")
async def test_the_stream_is_the_feed_and_goes_on_after_a_cut(door):
    answer = await door.get("/v1/events/stream")
    assert answer.content_type == "text/event-stream"
    for number in range(3):
        await door.post("/v1/products", PRODUCT | {"title": f"Mug {number}"})
    first = await heard(answer, 2)
    answer.close()
    again = await door.get("/v1/events/stream", headers={"Last-Event-ID": first[-1]["id"]})
    rest = await heard(again, 1)
    again.close()
    feed = (await (await door.get("/v1/events")).json())["items"]
    assert [*first, *rest] == feed


@pytest.mark.usefixtures("clock_runs")
async def test_a_cursor_of_the_feed_leads_on_in_the_stream(door):
    for number in range(2):
        await door.post("/v1/products", PRODUCT | {"title": f"Mug {number}"})
    page = await (await door.get("/v1/events?limit=1")).json()
    answer = await door.get("/v1/events/stream", params={"after": page["next"]})
    (event,) = await heard(answer, 1)
    assert event["data"]["product"]["title"] == "Mug 1"
    answer.close()


async def test_an_event_nobody_told_is_no_place_to_go_on_from(door):
    answer = await door.get("/v1/events/stream", headers={"Last-Event-ID": "evt_none"})
    await problem(answer, "validation_error")
