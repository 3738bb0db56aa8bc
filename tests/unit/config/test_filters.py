"""Filters of the admin's own: found, held to their annotations, and to the rules of ours."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from hub import config
from hub.config import filters
from hub.shop.vocabulary import VOCABULARY
from mappings import plugged
from mappings.values import Stop

CONFIG = """
version: 1
plugins: [plugins]
include: [map.yaml]
store: { encryption_keys: ["${env:HUB_KEY}"] }
connectors: { segment: { type: segment, settings: { write_key: "${env:KEY}" } } }
routes: [{ name: a, on: shop.order.paid, do: segment.track, map: own }]
"""
MAP = """
mapping: own
from: shop.order@1
to: segment.track
map: { userId: "{{ order.id }}", event: "{{ %s }}", timestamp: "{{ event.occurred_at }}" }
"""
ENV = {"HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=", "KEY": "a-key-of-the-tests"}
SHOUT = "def shout(value: str, n: int = 1) -> str:\n    return value.upper() + '!' * n\n"


@pytest.fixture
def shop(tmp_path):
    """Write a shop whose mapping uses a filter; give what is wrong, or the configuration."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    path = tmp_path / "config.yaml"

    def write(code, expression="order.number | shout"):
        (tmp_path / "plugins" / "filters.py").write_text(code)
        (tmp_path / "map.yaml").write_text(MAP % expression)
        return SimpleNamespace(
            faults=lambda: [str(f) for f in config.check(path, ENV, shop=VOCABULARY)],
            load=lambda: config.load(path, env=ENV, shop=VOCABULARY),
        )

    return write


def event_of(route, number="a7"):
    """Run a route's mapping; give what it made of one text."""
    event = {"order": {"id": "ord_1", "number": number}}
    return route.map({"event": {"occurred_at": "2026-03-01T09:30:00Z"}, **event})["event"]


def test_a_function_of_the_file_is_a_filter(shop):
    made = shop(SHOUT, "order.number | shout(n=2)")
    assert made.faults() == []
    assert event_of(made.load().routes[0]) == "A7!!"


WRONG = [
    # another kind than the first argument's
    ("order.total | shout", "mapping.type", "'shout' wants string, order.total is object"),
    # another kind than a later argument's
    ("order.number | shout('2')", "mapping.type", "'n' of 'shout' wants integer"),
    # a result of another kind than the place takes
    ("order.number | shout | join", "mapping.type", "'join' wants array"),
    ("order.number | shout(1, 2)", "mapping.filter", "'shout' takes (n=1)"),
    ("order.number | shuot", "mapping.filter", "did you mean 'shout'?"),
]


@pytest.mark.parametrize(("expression", "code", "text"), WRONG)
def test_annotations_are_held_against_the_mapping(shop, expression, code, text):
    [fault] = shop(SHOUT, expression).faults()
    assert f"error[{code}]" in fault
    assert text in fault


UNFIT = [
    ("def a(value) -> str:\n    return 'x'", "'a' has no annotation for 'value'"),
    ("def a(value: str):\n    return 'x'", "'a' has no annotation for its result"),
    ("def a(value: float) -> str:\n    return 'x'", "a number with a point is a Decimal"),
    ("def a(value: bytes) -> str:\n    return 'x'", "of no kind that mappings know, bytes"),
    ("async def a(value: str) -> str:\n    return 'x'", "it can wait for nothing"),
    ("def a(*value: str) -> str:\n    return 'x'", "no *args"),
    ("def a() -> str:\n    return 'x'", "wants a first argument"),
    ("def A(value: str) -> str:\n    return 'x'", "is no name of a filter"),
    ("def a(value: 'Nope') -> str:\n    return 'x'", "cannot be read"),
]


@pytest.mark.parametrize(("code", "text"), UNFIT)
def test_what_cannot_be_a_filter_is_told(shop, code, text):
    [fault] = shop(code, "order.number").faults()
    assert "error[filter.unfit]" in fault
    assert text in fault


def test_a_file_that_cannot_be_imported_is_one_fault(shop):
    [fault] = shop("import nowhere_at_all", "order.number").faults()
    assert "error[filter.broken]" in fault
    assert "ModuleNotFoundError" in fault


def test_no_name_comes_twice(shop):
    [fault] = shop("def lower(value: str) -> str:\n    return value", "order.number").faults()
    assert "error[filter.clash]" in fault
    assert "comes from the language and" in fault


def test_a_reload_takes_a_changed_file_and_a_mapping_of_it_is_another(shop):
    [old] = shop(SHOUT).load().routes
    [new] = shop(SHOUT.replace("'!'", "'?'")).load().routes
    assert (event_of(old), event_of(new)) == ("A7!", "A7?")
    assert old.mapping_hash != new.mapping_hash
    [same] = shop(SHOUT.replace("'!'", "'?'")).load().routes
    assert same.mapping_hash == new.mapping_hash


def test_an_entry_point_names_a_filter(shop, monkeypatch):
    made = shop("", "order.number | loud")
    here = SimpleNamespace(
        name="loud", value="x:loud", dist=SimpleNamespace(name="loud-hub"), load=lambda: loud
    )
    monkeypatch.setattr(filters, "entry_points", lambda group: [here])
    assert made.faults() == []
    assert event_of(made.load().routes[0]) == "a7 LOUD"


def loud(value: str) -> str:
    """Say it aloud."""
    return f"{value} LOUD"


# -- at run time -----------------------------------------------------------------------------------
def made(function):
    return plugged.plugged(function.__name__, function, origin="here", digest="d").run


def bad(value: str) -> str:
    raise ValueError(f"secret {value}")


def worse(value: str) -> str:
    return 7  # type: ignore[return-value] # a lie


def deep(value: dict[str, object]) -> Any:
    value["a"] = 1.5
    return value


def half(value: Decimal) -> Decimal:
    return value / 2


def test_what_it_raises_is_an_error_without_a_value():
    with pytest.raises(Stop) as stop:
        made(bad)("4711")
    assert (stop.value.code, stop.value.text) == (
        "mapping.filter",
        "{path}: 'bad' cannot use it (ValueError)",
    )


STOPS = [
    (worse, "x", "mapping.filter", "must give string, it gave int"),
    (worse, 7, "mapping.kind", "'worse' wants string, found int"),
    (worse, None, "mapping.null", "'worse' wants string, found null"),
    (deep, {}, "mapping.kind", "holds float"),
    (half, Decimal("1E+29"), None, ""),
    (half, True, "mapping.kind", "found bool"),
]


@pytest.mark.parametrize(("function", "value", "code", "text"), STOPS)
def test_kinds_are_held_when_it_runs(function, value, code, text):
    if code is None:
        assert made(function)(value) == value / 2
        return
    with pytest.raises(Stop) as stop:
        made(function)(value)
    assert stop.value.code == code
    assert text in stop.value.text


def test_a_decimal_argument_takes_whole_numbers():
    assert made(half)(3) == Decimal("1.5")


def test_what_it_is_given_it_cannot_alter():
    value = {"b": [1]}
    with pytest.raises(Stop):
        made(deep)(value)
    assert value == {"b": [1]}
