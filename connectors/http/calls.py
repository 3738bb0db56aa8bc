"""Making a declared call, and reading its answer."""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from urllib.parse import quote

from connectors.http.actions import HttpAction
from hub import Answer, Call, CallError, Json, Outcome, Reject

_ACCEPTED: ContextVar[frozenset[int]] = ContextVar("accepted", default=frozenset())


class Accepted(CallError):
    """An answer that is no 2xx, but that the action calls a success."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"answered {status}")


def accepted(answer: Answer) -> Accepted | None:
    """Say whether the action now running calls an answer a success."""
    return Accepted(answer.status) if answer.status in _ACCEPTED.get() else None


async def perform(
    call: Call, action: HttpAction, body: Mapping[str, Json], headers: Mapping[str, str]
) -> Outcome:
    """Make the call.

    Raises:
        Reject: A field of the path is missing, or the status is none of `ok`.
    """
    path = filled(action.path, body)
    sent = {**headers, **({action.key_header: call.key} if action.key_header else {})}
    with _accepting(frozenset(action.ok)):
        try:
            answer = await _send(call, action.method, path, body, sent)
        except Accepted:
            return Outcome()
    if action.ok and answer.status not in action.ok:
        raise Reject(f"answered {answer.status}, which is none of ok")
    return Outcome(ref=_ref(answer, action))


async def find(
    call: Call, action: HttpAction, body: Mapping[str, Json], headers: Mapping[str, str]
) -> Outcome | None:
    """Ask whether a call's effect exists; None where the API has not seen it."""
    with _accepting(frozenset({404})):
        try:
            answer = await call.http.get(filled(action.lookup or "", body), headers=headers)
        except Accepted:
            return None
    return Outcome(ref=_ref(answer, action))


def filled(path: str, body: Mapping[str, Json]) -> str:
    """Put fields of the body into a path, percent-encoded.

    >>> filled("/orders/{id}", {"id": "a/b c"})
    '/orders/a%2Fb%20c'
    """
    parts = path.split("{")
    made = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        value = body.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
            raise Reject("the path wants a text or number", errors={name: "is none"})
        made += [quote(str(value), safe=""), rest]
    return "".join(made)


async def _send(
    call: Call, method: str, path: str, body: Mapping[str, Json], headers: Mapping[str, str]
) -> Answer:
    if method == "DELETE":
        return await call.http.delete(path, headers=headers)
    if method == "PUT":
        return await call.http.put(path, json=body, headers=headers)
    if method == "PATCH":
        return await call.http.patch(path, json=body, headers=headers)
    return await call.http.post(path, json=body, headers=headers)


@contextlib.contextmanager
def _accepting(statuses: frozenset[int]) -> Iterator[None]:
    """Let `accepted` know, in this task alone, what the action now running calls a success."""
    token = _ACCEPTED.set(statuses)
    try:
        yield
    finally:
        _ACCEPTED.reset(token)


def _ref(answer: Answer, action: HttpAction) -> str | None:
    """Read the API's id out of an answer; Ambiguous where it should have one and is no JSON."""
    if action.ref is None:
        return None
    found = answer.json()
    for step in action.ref.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    known = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found) if known else None
