"""/v1/webhook-endpoints/{id}/deliveries and more: what was sent, tried again, or missed."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query
from hub.api.events import feed_types
from hub.api.reading import invalid
from hub.api.webhook_models import Input, Note
from hub.model import rfc3339
from store import deliveries as kept
from store import subscribers
from store.tx import Tx

deliveries = Endpoints()
AT_ONCE = 200  # events looked at in one commit
MOST_REPLAYED = 10_000


class DeliveriesQuery(Query):
    """Filters of the list of deliveries."""

    state: Literal[
        "waiting", "ready", "leased", "dead", "done", "skipped", "cancelled"
    ] | None = None  # fmt: skip
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


class Replay(Input):
    """Which events are to be delivered: what did not arrive, or with `everything` all of them.

    `from` and `to` are when they were recorded; without `to`, until now.
    """

    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime | None = Field(default=None, alias="to")
    everything: bool = False


class Delivery(BaseModel):
    """One event on its way to one webhook endpoint."""

    id: str
    event: str | None
    type: str | None
    state: str
    attempts: int
    created_at: AwareDatetime
    next_attempt_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    last_status: int | None
    error: str | None


class Deliveries(BaseModel):
    """A page of them."""

    items: list[Delivery]
    next: str | None


class Sent(BaseModel):
    """The delivery that is on its way."""

    delivery: str


class Tried(Sent):
    """The event that was made to try an endpoint, and its delivery."""

    event: str


class Replayed(BaseModel):
    """How many events were looked at and how many will be delivered; where to go on, if at all."""

    events: int
    deliveries: int
    go_on_from: AwareDatetime | None


@deliveries.get(
    "/webhook-endpoints/{id}/deliveries",
    may=EVERYONE,
    query=DeliveriesQuery,
    gives={200: Deliveries},
)
async def list_deliveries(ask: Ask) -> Answer:
    """List what was and will be delivered, newest first."""
    wanted: DeliveriesQuery = ask.query
    about, store = paging.about(ask.request), ask.api.store
    found = await store.look(lambda tx: subscribers.kept(tx, ask.part("id")))
    before = paging.read_cursor(store.cipher, wanted.after, about) if wanted.after else None
    async with store.read() as connection:
        rows = await kept.list_deliveries(
            connection,
            found.subscriber.account,
            state=wanted.state,
            before=before,
            limit=wanted.limit + 1,
        )
    page = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    cursor = paging.write_cursor(store.cipher, page[-1]["id"], about) if more else None
    return paging.page(ask.request, page, cursor)


@deliveries.post(
    "/webhook-endpoints/{id}/deliveries/{uid}/retry",
    may=SHOP,
    takes=Note,
    gives={200: Sent},
    refuses=("invalid_transition",),
)
async def retry_delivery(ask: Ask) -> Answer:
    """Deliver once more what is dead, skipped or done; the webhook's id stays the event's."""

    def work(tx: Tx) -> Answer:
        to = subscribers.kept(tx, ask.part("id")).subscriber
        uid = kept.again(tx, to, ask.part("uid"), by=ask.who.id)
        return Answer(body={"delivery": uid}, subject=uid)

    return await once.change(ask, work)


@deliveries.post("/webhook-endpoints/{id}/test", may=SHOP, takes=Note, gives={202: Tried})
async def test_endpoint(ask: Ask) -> Answer:
    """Send it an event made for that, whatever types it wants; the feed has it too."""

    def work(tx: Tx) -> Answer:
        to = subscribers.kept(tx, ask.part("id")).subscriber
        event, uid = kept.test(tx, to)
        return Answer(status=202, body={"event": event.id, "delivery": uid}, subject=event.id)

    return await once.change(ask, work)


@deliveries.post("/webhook-endpoints/{id}/replay", may=SHOP, takes=Replay, gives={202: Replayed})
async def replay_events(ask: Ask) -> Answer:
    """Deliver the events of a time that did not arrive, 10,000 at most; safe to send again."""
    item: Replay = ask.item
    until = item.until or ask.api.clock.now()
    if until <= item.since:
        raise invalid("/to", "range", "must be later than from")
    found = await _missed(ask, item.since, until)
    count = 0
    for start in range(0, len(found), AT_ONCE):
        some = [event_id for event_id, *_ in found[start : start + AT_ONCE]]
        count += await _recover(ask, some)
    go_on = rfc3339(found[-1][2]) if len(found) == MOST_REPLAYED else None
    body = {"events": len(found), "deliveries": count, "go_on_from": go_on}
    return await once.change(ask, lambda _: Answer(status=202, body=body, subject=ask.part("id")))


async def _missed(ask: Ask, since: datetime, until: datetime) -> list[tuple[str, str, datetime]]:
    """Give the events that are a subscriber's, in their order."""
    ident = ask.part("id")
    to = (await ask.api.store.look(lambda tx: subscribers.kept(tx, ident))).subscriber
    async with ask.api.store.read() as connection:
        return await kept.events_since(
            connection,
            to.types or feed_types(ask),
            since=since,
            until=until,
            limit=MOST_REPLAYED,
        )


async def _recover(ask: Ask, event_ids: list[str]) -> int:
    def work(tx: Tx) -> int:
        to = subscribers.kept(tx, ask.part("id")).subscriber
        everything = ask.item.everything
        return kept.recover(tx, to, event_ids, by=ask.who.id, everything=everything)

    return await ask.api.store.write(work)
