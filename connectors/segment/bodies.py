"""Segment's request bodies: message ids that survive any retry, and its size limits.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ (2026-11).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from connectors.segment.items import Entry, Track
from hub import Json, Reject, write_json

ENTRY_BYTES = 32 * 1024
REQUEST_BYTES = 475_000  # Segment's own library stops here, below the limit of 500 KB


def body_of(entry: Entry, message_id: str) -> dict[str, Json]:
    """Give the body of one call; without sentAt, so that no two attempts differ.

    Raises:
        Reject: It is over Segment's limit for one event.
    """
    body = entry.wire() | {"messageId": message_id}
    if (size := len(write_json(body))) > ENTRY_BYTES:
        raise Reject(f"the event has {size} bytes; Segment takes {ENTRY_BYTES}")
    return body


def message_ids(entries: Iterable[Track], job: str) -> list[str]:
    """Name each entry by the job and what it says, not by where it stands.

    An entry keeps its id when the hub sends the list again in parts; by its index, two parts
    would share ids and Segment would drop one of them. Equal entries are counted.
    """
    seen: Counter[str] = Counter()
    ids = []
    for entry in entries:
        digest = hashlib.sha256(write_json(entry.wire())).hexdigest()[:16]
        ids.append(f"{job}-{digest}" + (f"-{seen[digest]}" if seen[digest] else ""))
        seen[digest] += 1
    return ids


def requests(bodies: Iterable[dict[str, Json]]) -> Iterator[dict[str, Json]]:
    """Put bodies into as few requests as the size limit allows, in order."""
    batch: list[dict[str, Json]] = []
    size = 0
    for body in bodies:
        bytes_more = len(write_json(body)) + 1
        if batch and size + bytes_more > REQUEST_BYTES:
            yield {"batch": batch}
            batch, size = [], 0
        batch.append(body)
        size += bytes_more
    if batch:
        yield {"batch": batch}
