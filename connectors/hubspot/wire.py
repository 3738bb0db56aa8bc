"""The double's JSON: what it reads, strictly, and the shapes it answers in."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from aiohttp import web

from connectors.hubspot.catalog import fold
from connectors.hubspot.crm import Record, Wrong
from hub import Json, read_json, rfc3339

MOST_INPUTS = 100
UPSERT = frozenset({"idProperty", "objectWriteTraceId"})
TYPE_IDS = {"contact": "0-1", "deal": "0-3", "line_item": "0-8"}
PORTAL = 62515
ACCOUNT: Json = {
    "portalId": PORTAL, "accountType": "DEVELOPER_TEST", "timeZone": "UTC",
    "companyCurrency": "EUR", "additionalCurrencies": [], "utcOffset": "+00:00",
    "utcOffsetMilliseconds": 0, "uiDomain": "app.hubspot.com", "dataHostingLocation": "eu1",
}  # fmt: skip
SUBSCRIPTIONS = {"creation": 71, "propertyChange": 72}


async def read_body(request: web.Request) -> Json:
    """Decode a call's JSON object; an empty one for calls that send none."""
    raw = await request.read()
    if not raw and request.method == "GET":
        return {}
    try:
        body = read_json(raw)
    except ValueError as error:
        raise Wrong("VALIDATION_ERROR", "Invalid input JSON on line 1, column 1") from error
    return expect(body, dict)


def expect(value: Json, kind: type) -> Json:
    """Give a value of a JSON type; HubSpot is refused what it cannot deserialize."""
    if not isinstance(value, kind):
        text = f"Invalid input JSON: cannot deserialize value of type `{kind.__name__}`"
        raise Wrong("VALIDATION_ERROR", text)
    return value


def members(body: Json, required: Collection[str], optional: Collection[str] = ()) -> Json:
    """Give an object with exactly the members it may have."""
    names = expect(body, dict).keys()
    if strange := sorted(names - set(required) - set(optional)):
        raise Wrong("VALIDATION_ERROR", f'Invalid input JSON: Unrecognized field "{strange[0]}"')
    if missing := sorted(set(required) - names):
        raise Wrong("VALIDATION_ERROR", f"Some required fields were not set: {missing}")
    return body


def inputs(body: Json, required: Collection[str], optional: Collection[str] = ()) -> list[Json]:
    """Give a batch's inputs: 1 to 100, no id twice."""
    found: list[Json] = expect(body.get("inputs"), list)
    if not 1 <= len(found) <= MOST_INPUTS:
        text = f"The maximum number of inputs supported in a batch request is {MOST_INPUTS}"
        raise Wrong("VALIDATION_ERROR", text)
    for one in found:
        members(one, required, optional)
    return found


def upserts(body: Json) -> list[Json]:
    """Give the inputs of a batch upsert: texts only, no record and no trace id twice."""
    found = inputs(members(body, {"inputs"}), {"id", "properties"}, UPSERT)
    for one in found:
        values(one["properties"])
        for name in one.keys() - {"properties"}:
            expect(one[name], str)
    ids = [fold(str(one.get("idProperty")), one["id"]) for one in found]
    if len(set(ids)) < len(ids):
        text = "Duplicate IDs found in batch input. IDs must be unique"
        raise Wrong("VALIDATION_ERROR", text)
    return found


def creation(body: Json) -> Json:
    """Give what a single creation takes; the double binds by the associations API only."""
    one = members(body, {"properties"}, {"associations", "objectWriteTraceId"})
    values(one["properties"])
    if one.get("associations"):
        raise Wrong("VALIDATION_ERROR", "the sandbox takes no associations on creation")
    return one


def values(properties: Json) -> dict[str, str]:
    """Give properties of which every value is text."""
    for value in expect(properties, dict).values():
        expect(value, str)
    found: dict[str, str] = properties
    return found


def shown(
    record: Record, names: Collection[str] | None = None, when: datetime | None = None
) -> dict[str, Json]:
    """Give a record as HubSpot does, with some or all of its properties, as it was at `when`."""
    state = (record.as_of(when) if when else None) or record.properties
    picked = {n: v for n, v in state.items() if not names or n in names}
    changed = rfc3339(record.states[-1][0])
    return {
        "id": record.id,
        "properties": picked | {"hs_object_id": record.id},
        "createdAt": rfc3339(record.created_at),
        "updatedAt": changed,
        "archived": False,
    }


def upserted(one: Mapping[str, Json], record: Record, what: str) -> dict[str, Json]:
    """Give the result of one input of a batch upsert."""
    trace = one.get("objectWriteTraceId")
    return (
        shown(record)
        | {"new": what == "new"}
        | ({"objectWriteTraceId": trace} if trace is not None else {})
    )


def batch(
    results: list[Json], errors: list[Json], now: datetime, status: int = 200
) -> tuple[int, Json]:
    """Answer a batch: 207 with `errors` where some items failed."""
    at = rfc3339(now)
    body = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    if not errors:
        return status, body
    return 207, body | {"numErrors": len(errors), "errors": errors}


def ends(one: Json, type_id: int | None) -> tuple[str, str]:
    """Give the two ids of one association, of the one type that fits."""
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    if one["types"] != [spec]:
        raise Wrong("VALIDATION_ERROR", f"Invalid association types {one['types']}")
    start, end = (members(one[name], {"id"})["id"] for name in ("from", "to"))
    return str(start), str(end)


def associated(kinds: tuple[str, str], start: str, end: str) -> dict[str, Json]:
    """Give the result of one association."""
    return {
        "fromObjectTypeId": TYPE_IDS[kinds[0]],
        "fromObjectId": start,
        "toObjectTypeId": TYPE_IDS[kinds[1]],
        "toObjectId": end,
        "labels": [],
    }


def changes(written: Iterable[tuple[Record, str]], *, event: int, at: int) -> list[Json]:
    """Give the webhook's changes: a creation, or each property that changed."""
    found: list[Json] = []
    for record, what in written:
        if what == "new":
            found.append(_change(record, "creation", event, at) | {"changeFlag": "NEW"})
        elif what == "changed":
            before, after = record.states[-2][1], record.states[-1][1]
            found += [
                _change(record, "propertyChange", event, at)
                | {"propertyName": name, "propertyValue": value}
                for name, value in after.items()
                if before.get(name) != value
            ]
    return found


def _change(record: Record, what: str, event: int, at: int) -> dict[str, Json]:
    return {
        "eventId": event,
        "subscriptionId": SUBSCRIPTIONS[what],
        "portalId": PORTAL,
        "appId": 54321,
        "occurredAt": at,
        "subscriptionType": f"{record.kind}.{what}",
        "attemptNumber": 0,
        "objectId": int(record.id),
        "changeSource": "INTEGRATION",
    }
