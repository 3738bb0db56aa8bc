"""/v1/events: the feed of what happened in the shop, and the shop's own event types coming in.

The feed holds the shop's events and its own types, never a provider's raw data.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.api import once, paging
from hub.api.endpoint import EVERYONE, SHOP, Answer, Ask, Endpoints, Query
from hub.api.reading import MOST_ERRORS, invalid, join
from hub.errors import Refused
from hub.model import Event, Json
from store import reads
from store.tx import Tx

OURS = ("shop.*", "hub.*", "form.*")
TOLD = {
    "type": "wants {0}",
    "required": "lacks a required field",
    "additionalProperties": "has an unknown field",
}
events = Endpoints()


class FeedQuery(Query):
    """Where to read on, and what."""

    after: str | None = None
    types: Annotated[str, Field(max_length=2000)] | None = None
    aggregate: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL


class OwnEvent(BaseModel):
    """An event of a type that config.yaml declares under `events:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(max_length=200)]
    data: dict[str, Any]
    occurred_at: AwareDatetime | None = None
    origin: Literal["live", "import"] = "live"


@events.get("/events", may=EVERYONE, query=FeedQuery, gives={200: "Feed"})
async def feed(ask: Ask) -> Answer:
    """Read the feed from a cursor on; `next` always leads on, also when there is no more yet."""
    wanted: FeedQuery = ask.query
    about, store = paging.about_feed(wanted.types, wanted.aggregate), ask.api.store
    after = int(paging.read_cursor(store.cipher, wanted.after, about)) if wanted.after else 0
    async with store.read() as connection:
        found = await reads.list_events(
            connection,
            store.cipher,
            after=after,
            types=types(ask, wanted.types),
            about=wanted.aggregate,
            limit=wanted.limit,
        )
    last = found[-1][0] if found else after
    items = [event for _, event in found]
    return paging.page(ask.request, items, paging.write_cursor(store.cipher, last, about))


@events.post("/events", may=SHOP, takes=OwnEvent, gives={201: "Event"}, key="required")
async def take(ask: Ask) -> Answer:
    """Take in an event of the shop's own; it is routed like any other."""
    item: OwnEvent = ask.item
    schema = ask.api.event_types.get(item.type)
    if schema is None:
        have = ", ".join(sorted(ask.api.event_types)) or "none"
        raise invalid("/type", "undeclared", f"declare it under events: in config.yaml ({have})")
    try:
        faults = list(_faults(schema, ask.value["data"]))
    except RecursionError:
        raise invalid(
            "/data", "circular", "the schema of this type leads round in a circle"
        ) from None
    if faults:
        raise Refused("validation_error", "data breaks its schema", errors=faults[:MOST_ERRORS])
    return await once.change(ask, lambda tx: _emit(tx, item, ask.value["data"]))


def _emit(tx: Tx, item: OwnEvent, data: Json) -> Answer:
    at = item.occurred_at or tx.now
    made = tx.emit(Event(type=item.type, at=at, data=data, origin=item.origin))
    return Answer(status=201, body=made.envelope(), subject=made.id)


def types(ask: Ask, asked: str | None) -> list[str]:
    """Read `types=a,b.*`; without it, all that the feed has."""
    if asked is None:
        return feed_types(ask)
    wanted = [name.strip() for name in asked.split(",")]
    for name in wanted:
        check_type(ask, name, {"parameter": "types"})
    return wanted


def feed_types(ask: Ask) -> list[str]:
    """Name all that the feed has."""
    return [*OURS, *ask.api.event_types]


def check_type(ask: Ask, name: str, where: Mapping[str, str]) -> None:
    """See that the feed has events of a name.

    Raises:
        Refused: It has none; `where` says what named it.
    """
    have = feed_types(ask)
    if name not in have and not name.startswith(tuple(word[:-1] for word in OURS)):
        fault = {**where, "code": "unknown", "detail": f"have: {', '.join(have)}"}
        raise Refused("validation_error", "a type the feed does not have", errors=[fault])


def _faults(schema: Mapping[str, Json], data: Json) -> Iterator[Json]:
    """Say where data breaks its schema, without repeating what was sent."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- few declare types of their own
    from referencing import Registry  # noqa: PLC0415

    checker = Draft202012Validator(schema, registry=Registry())  # reaches out for no other schema
    for error in checker.iter_errors(data):
        rule = str(error.validator)
        detail = TOLD.get(rule, "breaks its schema: {1}").format(error.validator_value, rule)
        yield {"pointer": join("data", *error.absolute_path), "code": rule, "detail": detail}
