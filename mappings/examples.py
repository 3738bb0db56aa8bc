"""The tests inside a mapping file: `given` some data, `expect` a result, an error, or nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from hub.errors import Fault, MappingError
from hub.model import Json
from hub.nodes import Items, Node, Table, fault, plain
from mappings.compile import OMIT, Mapping
from mappings.grammar import closest
from mappings.values import kind, same

_KEYS = ("name", "given", "event", "expect", "error", "skipped")
_MATCHERS = ("$length", "$absent", "$contains", "$exact")
_EVENT: dict[str, Json] = {
    "id": "evt_01hzzzzzzzzzzzzzzzzzzzzzzz", "type": "test", "schema": None,
    "occurred_at": "2026-03-01T09:30:00Z", "recorded_at": "2026-03-01T09:30:01Z",
    "aggregate": None, "sequence": 1, "causation": None, "origin": "live",
}  # fmt: skip

Load = Callable[[str], Json]


def run_tests(mapping: Mapping, load: Load) -> list[Fault]:
    """Run every test of a mapping file; one fault for each that fails.

    Args:
        load: Gives a fixture by name; raises LookupError where there is none.
    """
    if mapping.tests is None:
        return []
    if not isinstance(mapping.tests, Items):
        return [_failed(mapping, mapping.tests, "'tests' wants a list")]
    return [found for node in mapping.tests.items for found in _run(mapping, node, load)]


def _run(mapping: Mapping, node: Node, load: Load) -> Iterator[Fault]:
    test = plain(node)
    wrong = _malformed(test)
    if wrong:
        yield _failed(mapping, node, wrong)
        return
    place = node.get("given") if isinstance(node, Table) else node
    try:
        scope = _scope(mapping, test, load)
    except LookupError:
        yield _failed(mapping, place or node, f"test '{test['name']}': no such fixture")
        return
    for text in _differences(mapping, test, scope):
        where = _place(node, "expect" if "expect" in test else "error")
        yield _failed(mapping, where, f"test '{test['name']}': {text}")


def _malformed(test: Json) -> str:
    if not isinstance(test, dict):
        return "a test is an object"
    for key in test:
        if key not in _KEYS:
            return f"a test has no key '{key}'; {closest(key, _KEYS)}"
    for key in ("name", "given"):
        if key not in test:
            return f"a test needs '{key}'"
    if len({"expect", "error", "skipped"} & test.keys()) != 1:
        return f"test '{test['name']}' needs one of expect, error, skipped"
    return ""


def _scope(mapping: Mapping, test: dict[str, Json], load: Load) -> dict[str, Json]:
    """Make an event around the data that a test gives."""
    given = test["given"]
    if isinstance(given, str):
        data = load(given)
    elif isinstance(given, dict) and "$fixture" in given:
        data = load(given["$fixture"])
        data = _overlaid(data, {key: v for key, v in given.items() if key != "$fixture"})
    else:
        data = given
    event = _EVENT | {"schema": mapping.from_schema, "data": {mapping.roots[0]: data}}
    return {"event": event | test.get("event", {}), **dict.fromkeys(mapping.roots, data)}


def _overlaid(data: Json, changes: Json) -> Json:
    """Lay changes over data: objects merge, all else is replaced; `$absent` removes."""
    if not (isinstance(data, dict) and isinstance(changes, dict)):
        return changes
    if "$exact" in changes:
        return changes["$exact"]
    made = dict(data)
    for key, change in changes.items():
        if isinstance(change, dict) and change.get("$absent") is True:
            made.pop(key, None)
        else:
            made[key] = _overlaid(made.get(key), change)
    return made


def _differences(mapping: Mapping, test: dict[str, Json], scope: dict[str, Json]) -> Iterator[str]:
    try:
        made = mapping(scope)
    except MappingError as error:
        if test.get("error") != error.code:
            wanted = f"expected {test['error']}, got " if "error" in test else ""
            yield f"{wanted}{error}"
        return
    if "error" in test:
        yield f"expected {test['error']}, got a result"
    elif (made is OMIT) != ("skipped" in test):
        yield "expected a result, got omit" if made is OMIT else "expected omit, got a result"
    elif "expect" in test:
        yield from _compared(test["expect"], made, "")


def _compared(wanted: Json, made: Json, path: str) -> Iterator[str]:
    """Compare the keys that are named, lists whole."""
    at = f"{path}: " if path else ""
    if isinstance(wanted, dict) and wanted and all(key in _MATCHERS for key in wanted):
        yield from (f"{at}{text}" for text in _matched(wanted, made))
    elif isinstance(wanted, dict) and isinstance(made, dict):
        for key, value in wanted.items():
            below = f"{path}.{key}" if path else key
            if key in made:
                yield from _compared(value, made[key], below)
            elif value != {"$absent": True}:
                yield f"{below}: expected {_shown(value)}, got nothing"
    elif isinstance(wanted, list) and isinstance(made, list) and len(wanted) == len(made):
        for index, (one, other) in enumerate(zip(wanted, made, strict=True)):
            yield from _compared(one, other, f"{path}[{index}]")
    elif not same(wanted, made):
        yield f"{at}expected {_shown(wanted)}, got {_shown(made)}"


def _matched(wanted: dict[str, Json], made: Json) -> Iterator[str]:
    if wanted.get("$absent"):
        yield f"expected nothing, got {_shown(made)}"
    if "$exact" in wanted and not same(wanted["$exact"], made):
        yield f"expected exactly {_shown(wanted['$exact'])}, got {_shown(made)}"
    if "$length" in wanted and not (_sized(made) and len(made) == wanted["$length"]):
        yield f"expected length {wanted['$length']}, got {_shown(made)}"
    if "$contains" in wanted and not _contains(wanted["$contains"], made):
        yield f"expected it to contain {_shown(wanted['$contains'])}, got {_shown(made)}"


def _sized(made: Json) -> bool:
    return isinstance(made, str | list | dict)


def _contains(wanted: Json, made: Json) -> bool:
    if isinstance(made, list):
        return any(not list(_compared(wanted, item, "")) for item in made)
    return isinstance(made, str) and isinstance(wanted, str) and wanted in made


def _shown(value: Json) -> str:
    """Show a value of a test; the data is the file's own, never a customer's."""
    if isinstance(value, list) and value:
        return f"{len(value)} item{'s' if len(value) > 1 else ''}"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, str | int | bool) or value is None or value in ([], {}):
        return repr(value)[:80]
    return kind(value)


def _place(node: Node, key: str) -> Node:
    return (node.get(key) or node) if isinstance(node, Table) else node


def _failed(mapping: Mapping, node: Node, text: str) -> Fault:
    return replace(fault(node, "mapping.test", text), file=mapping.file)
