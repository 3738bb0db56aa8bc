"""/v1/events/stream: the feed as server-sent events, equal to what it gives page by page.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from hub.api import paging
from hub.api.endpoint import EVERYONE, Ask, Endpoints, Query
from hub.api.events import types
from hub.api.reading import invalid_parameter
from hub.model import Json, write_json
from store import reads

LOOK_EVERY, BEAT_EVERY = 0.5, 15.0
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
ENDING = web.AppKey("ending", asyncio.Event)
stream = Endpoints()


class StreamQuery(Query):
    """What to hear, and from where: a cursor of the feed; else from Last-Event-ID, or from now."""

    after: str | None = None
    types: Annotated[str, Field(max_length=2000)] | None = None
    aggregate: Annotated[str, Field(max_length=200)] | None = None


@stream.get(
    "/events/stream",
    may=EVERYONE,
    query=StreamQuery,
    gives={200: "Stream"},
    kind="text/event-stream",
)
async def follow(ask: Ask) -> web.StreamResponse:
    """Hear events as they are committed, in the feed's order; `id` resumes by Last-Event-ID."""
    wanted = types(ask, ask.query.types)
    place = await _begin(ask)
    answer = web.StreamResponse(headers=HEADERS)
    await answer.prepare(ask.request)
    beat, clock = ask.api.clock.now(), ask.api.clock
    ending = ask.request.app.get(ENDING)
    while ending is None or not ending.is_set():
        place, events = await _read(ask, place, wanted)
        for event in events:
            await answer.write(_written(event))
        if events:
            beat = clock.now()
            continue
        if (clock.now() - beat).total_seconds() >= BEAT_EVERY:
            await answer.write(b": still here\n\n")
            beat = clock.now()
        await _pause(ask, ending)
    return answer


def ends_with(app: web.Application) -> None:
    """Let streams end when the application does, so that they do not hold it up."""
    app[ENDING] = asyncio.Event()

    async def end(stopped: web.Application) -> None:
        stopped[ENDING].set()

    app.on_shutdown.append(end)


async def _begin(ask: Ask) -> int:
    """Find the place in the feed after which to go on.

    Raises:
        Refused: validation_error: the cursor or the event is none of this feed.
    """
    store, query = ask.api.store, ask.query
    if query.after is not None:
        about = paging.about_feed(query.types, query.aggregate)
        return int(paging.read_cursor(store.cipher, query.after, about))
    last = ask.request.headers.get("Last-Event-ID")
    async with store.read() as connection:
        if last is None:
            return await reads.end_of_feed(connection)
        place = await reads.place_of(connection, last)
    if place is None:
        raise invalid_parameter("Last-Event-ID", "unknown", "there is no such event")
    return place


async def _read(ask: Ask, place: int, wanted: Sequence[str]) -> tuple[int, list[Json]]:
    store = ask.api.store
    async with store.read() as connection:
        found = await reads.list_events(
            connection, store.cipher, after=place, types=wanted, about=ask.query.aggregate,
            limit=paging.MOST,
        )  # fmt: skip
    return (found[-1][0] if found else place), [event for _, event in found]


def _written(event: Json) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        event["id"].encode(),
        event["type"].encode(),
        write_json(event),
    )


async def _pause(ask: Ask, ending: asyncio.Event | None) -> None:
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(ask.api.clock.sleep(LOOK_EVERY))]
    if ending is not None:
        waits.append(asyncio.ensure_future(ending.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
