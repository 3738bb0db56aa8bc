"""How the tests of the mapping language compile and run things."""

import pytest

from hub.errors import MappingError
from hub.nodes import Scalar, Source
from hub.tree import compose
from mappings import compile as compiler


def one_line(text: str) -> Scalar:
    """An expression as it stands in `a: "…"` on line 1, its text from column 5 on."""
    source = Source("m.yaml", (f'a: "{text}"',))
    return Scalar(value=text, text=text, style='"', line=1, col=4, source=source)


def compiled(text, names=("order", "event"), gives="any"):
    return compiler.expression(one_line(text), file="m.yaml", names=names, gives=gives)


@pytest.fixture
def value():
    """Compute one expression over `order`."""

    def compute(text, order=None, gives="any"):
        made, faults = compiled(text, gives=gives)
        assert [str(f) for f in faults] == []
        return made({"order": order, "event": {"id": "evt_1"}})

    return compute


@pytest.fixture
def stops(value):
    """Compute one expression that stops: its code and column."""

    def compute(text, order=None, gives="any"):
        with pytest.raises(MappingError) as caught:
            value(text, order, gives)
        assert (caught.value.file, caught.value.line) == ("m.yaml", 1)
        assert "{path}" not in str(caught.value)
        return caught.value.code, caught.value.col - 4, str(caught.value)

    return compute


@pytest.fixture
def refused():
    """Compile one expression that is refused: code and column of every fault."""

    def attempt(text, names=("order", "event")):
        made, faults = compiled(text, names)
        assert made is None
        assert all((f.file, f.line) == ("m.yaml", 1) for f in faults)
        return [(f.code, f.col - 4) for f in faults]

    return attempt


@pytest.fixture
def mapped():
    """Compile the body of a mapping, `map:` or `let:` and `map:`."""

    def attempt(body):
        head = "mapping: m\nfrom: shop.order@1\nto: segment.track\n"
        body = body if body.startswith(("map:", "let:")) else f"map:\n{indented(body)}"
        node, faults = compose(head + body, "m.yaml")
        assert [str(f) for f in faults] == []
        return compiler.mapping(node, file="m.yaml")

    return attempt


@pytest.fixture
def made(mapped):
    """Compile a body and run it."""

    def run(body, order=None):
        mapping, faults = mapped(body)
        assert [str(f) for f in faults if not f.warning] == []
        return mapping({"order": order, "event": {"id": "evt_1"}})

    return run


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
