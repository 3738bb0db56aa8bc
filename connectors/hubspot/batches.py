"""Batch results, read item by item.

Source: https://developers.hubspot.com/docs/api-reference/crm-objects (batch upsert; 2026-03).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.hubspot.answers import refusal
from hub import Ambiguous, Answer, Reject

Row = tuple[str, Mapping[str, str]]
Pair = tuple[str, str]


def upserted(
    answer: Answer, by: str, keys: Sequence[str], traces: Sequence[str]
) -> list[str | Reject | Ambiguous]:
    """Give each row's record id, or why it has none.

    Args:
        answer: 200, or 207 where some failed.
        by: The unique property; a result without a trace id is known by its value.
        keys: The rows' values of it.
        traces: The rows' trace ids.
    """
    body = _read(answer, "id")
    taken: dict[str, str] = {}
    for row in body["results"]:
        values = row.get("properties")
        key = values.get(by) if isinstance(values, dict) else None
        names = (row.get("objectWriteTraceId"), key)
        taken |= {name: str(row["id"]) for name in names if isinstance(name, str)}
    found = {t: taken.get(t) or taken.get(key) for t, key in zip(traces, keys, strict=True)}
    if len(found) == 1 and len(body["results"]) == 1:
        found = dict.fromkeys(found, str(body["results"][0]["id"]))
    refused = _refused(body, {trace: {trace} for trace, ident in found.items() if ident is None})
    return [found[trace] or refused[trace] for trace in traces]


def associated(answer: Answer, pairs: Sequence[Pair]) -> list[Reject | Ambiguous | None]:
    """Give None for each pair that is associated now, or why it is not."""
    body = _read(answer, "fromObjectId")
    done = {(str(row.get("fromObjectId")), str(row.get("toObjectId"))) for row in body["results"]}
    refused = _refused(body, {pair: set(pair) for pair in pairs if pair not in done})
    return [refused.get(pair) for pair in pairs]


def _read(answer: Answer, named: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    rows = body.get("results") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get(named), str | int) for row in rows
    ):
        raise Ambiguous("a batch answer without its results")
    return body


def _refused(body: dict[str, Any], missing: Mapping[Any, set[str]]) -> dict[Any, Any]:
    """Say of each item without a result why: the error that names it, else nobody knows.

    Args:
        body: A 200 or 207 answer; `errors[].context` holds lists of ids.
        missing: Item to the ids by which an error would name it.
    """
    listed = body.get("errors")
    errors = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    ours = set().union(*missing.values())
    unknown = Ambiguous("HubSpot answered without a word about this item")
    found = {}
    for item, ids in missing.items():
        mine = [e for e in errors if len(missing) == 1 or _about(e, ids, ours)]
        found[item] = refusal(mine[0], 207) if mine else unknown
    return found


def _about(error: dict[str, Any], ids: set[str], ours: set[str]) -> bool:
    """Say whether all that an error names of ours is this item's, or all of this item's ids."""
    context = error.get("context")
    lists = context.values() if isinstance(context, dict) else ()
    named = ours & {str(v) for values in lists if isinstance(values, list) for v in values}
    return bool(named) and (named <= ids or ids <= named)
