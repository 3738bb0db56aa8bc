"""Compile mappings and lone expressions to Python functions, with every fault at once.

Pure: no file, clock, log or chance. `mapping` and `expression` give a pair: what was made, and
all faults. What was made is None where one of the faults is more than a warning.
"""

import hashlib
import re
from collections import abc
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from hub.errors import Fault
from hub.model import Json, write_json
from hub.nodes import Node, Scalar, Table, plain
from mappings import grammar, plugged, structure
from mappings.budget import Budget
from mappings.expressions import Writer
from mappings.forms import Form, depth, may_omit, room_of
from mappings.guards import truth
from mappings.program import Program
from mappings.quick import Quick
from mappings.reading import NAME, Reader
from mappings.results import MAX_LEVELS, MAX_OUTPUT
from mappings.values import OMIT, Stop, kind

__all__ = ["OMIT", "Compiled", "Mapping", "expression", "mapping", "root_of"]

MAX_FILE = 256 * 1024
_KEYS = ("mapping", "from", "to", "let", "map", "tests")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TARGET = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
Gives = Literal["any", "bool", "text"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A lone expression: `fn(scope)` gives its value, or raises MappingError.

    Two of one text are equal, wherever they stand.

    Args:
        filters: Those that it names and are not ours, by what they are.
    """

    text: str
    filters: tuple[str, ...]
    gives: Gives
    form: Form = field(repr=False, compare=False)
    _program: Program = field(repr=False, compare=False)

    def __call__(self, scope: abc.Mapping[str, Json]) -> Json:
        """Compute the value for one event."""
        return self._program(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping: `fn(scope)` gives the action's input, a list of them, or OMIT.

    Args:
        hash: SHA-256 of what it does, in hex; tests and layout do not change it.
        roots: The names under which the source data may stand in scope, beside `event`.
    """

    name: str
    from_schema: str
    to: str
    hash: str
    file: str
    roots: tuple[str, ...]
    lets: tuple[tuple[str, Form], ...] = field(repr=False)
    form: Form = field(repr=False)
    tests: Node | None = field(repr=False)
    _program: Program = field(repr=False)

    def __call__(self, scope: abc.Mapping[str, Json]) -> Json:
        """Make the action's input from one event; MappingError says what is wrong with it."""
        return self._program(scope)


def root_of(schema: str) -> str:
    """Name a schema's data in scope: its last word; `data` where an event has no schema.

    >>> root_of("shop.order@1"), root_of("")
    ('order', 'data')
    """
    return schema.partition("@")[0].rpartition(".")[2] or "data"


def expression(
    scalar: Node, *, file: str, names: Collection[str], gives: Gives = "any"
) -> tuple[Compiled | None, list[Fault]]:
    """Compile one `when`, `order_by`, `key` or setting.

    Args:
        names: The roots it may name.
        gives: `bool`, or `text` (a string or whole number); anything else stops the run.
    """
    reader = Reader(file)
    roots = dict.fromkeys(names, "root")
    if not isinstance(scalar, Scalar):
        reader.fault(scalar, "mapping.syntax", "one expression is wanted here", fix='"{{ … }}"')
        return None, reader.told()
    form = reader.scalar(scalar, roots, omit=False)
    if form is None:
        return None, reader.told()
    run = _compiled(file, sorted(reader.used & set(names)), (), form, reader, _SHAPES[gives])
    own = plugged.digests(scalar.text)
    return (Compiled(scalar.text, own, gives, form, run) if run else None), reader.told()


def mapping(
    node: Node, *, file: str, limit: int = MAX_OUTPUT
) -> tuple[Mapping | None, list[Fault]]:
    """Compile one mapping file.

    Args:
        limit: The largest result of one run, in bytes.
    """
    reader = Reader(file)
    if not isinstance(node, Table):
        reader.fault(node, "mapping.syntax", "a mapping is an object", fix="mapping: name")
        return None, reader.told()
    _keys(node, reader)
    if sum(len(line) + 1 for line in node.source.lines) > MAX_FILE:
        reader.fault(node, "mapping.cap", f"more than {MAX_FILE // 1024} KiB in one mapping")
        return None, reader.told()
    name, source, target = (_word(node, reader, key, rule) for key, rule in _RULES.items())
    data = tuple(n for n in _data_names(source) if NAME.fullmatch(n))
    roots = dict.fromkeys(("event", *data), "root")
    names = dict(roots)
    lets = _lets(node, reader, names)
    body = node.get("map")
    form = reader.form(body, names) if body is not None else None
    _unused(node, reader)
    if form is None or _fatal(reader.faults):
        return None, reader.told()
    used = sorted(reader.used & set(roots))
    run = _compiled(file, used, lets, form, reader, lambda value: value, limit)
    return (
        Mapping(
            name=name, from_schema=source, to=target, hash=_hash(node), file=file,
            roots=data, lets=lets, form=form, tests=node.get("tests"), _program=run,
        ) if run else None
    ), reader.told()  # fmt: skip


def _data_names(source: str) -> tuple[str, ...]:
    """Without a number, `from` may name an event that has no schema: then its data is `data`."""
    return (root_of(source),) if "@" in source else (root_of(source), "data")


# -- the parts of a file -----------------------------------------------------------------------
_RULES = {
    "mapping": (_SLUG, "a name of small letters, digits and hyphens"),
    "from": (re.compile(r"[a-z][\w.-]*(@[1-9][0-9]*)?"), "a data schema, such as shop.order@1"),
    "to": (_TARGET, "an action, such as segment.track"),
}


def _keys(node: Table, reader: Reader) -> None:
    for key, _ in node.pairs:
        if key.text not in _KEYS:
            reader.fault(key, "key.unknown", f"a mapping has no key '{key.text}'",
                         fix=grammar.closest(key.text, _KEYS))  # fmt: skip
    for wanted in ("mapping", "from", "to", "map"):
        if node.get(wanted) is None:
            reader.fault(node, "key.missing", f"a mapping needs '{wanted}'", fix=f"{wanted}: …")


def _word(node: Table, reader: Reader, key: str, rule: tuple[re.Pattern[str], str]) -> str:
    value = node.get(key)
    text = value.value if isinstance(value, Scalar) else None
    if isinstance(text, str) and rule[0].fullmatch(text):
        return text
    if value is not None:
        reader.fault(value, "value.type", f"'{key}' wants {rule[1]}")
    return ""


def _lets(node: Table, reader: Reader, names: dict[str, str]) -> tuple[tuple[str, Form], ...]:
    """Read each `let` in order; its name joins the scope even where its value has faults."""
    block, found = node.get("let"), []
    if block is not None and not isinstance(block, Table):
        reader.fault(block, "value.type", "'let' wants names and values")
    for key, value in block.pairs if isinstance(block, Table) else ():
        form = reader.form(value, names)
        reader.declare(key, key.text, names, "let")
        if form is not None:
            found.append((key.text, form))
    return tuple(found)


def _unused(node: Table, reader: Reader) -> None:
    block = node.get("let")
    for key, _ in block.pairs if isinstance(block, Table) else ():
        if key.text not in reader.used:
            reader.fault(key, "mapping.name", f"'{key.text}' is never used", warning=True,
                         fix="remove it")  # fmt: skip


def _hash(node: Table) -> str:
    parts = {key.text: plain(value) for key, value in node.pairs if key.text != "tests"}
    text = write_json(parts)
    own = plugged.digests(text.decode())
    return hashlib.sha256(text + write_json(own) if own else text).hexdigest()


# -- making the function -----------------------------------------------------------------------
def _compiled(
    file: str, roots: list[str], lets: tuple[tuple[str, Form], ...], form: Form, reader: Reader,
    shape: abc.Callable[[Json], Json], limit: int = MAX_OUTPUT,
) -> Program | None:  # fmt: skip
    """Write and load both programs; a tree too deep for Python is one more fault."""
    optional = {name for name, value in lets if may_omit(value)}
    careful, quick = Writer(optional), Quick(optional)
    filename = f"<mapping {file}>"
    try:
        run, again = (
            structure.load(
                compile(structure.program(writer, roots, lets, form), filename, "exec"),
                writer.constants,
            )
            for writer in (quick, careful)
        )
    except (RecursionError, MemoryError, OverflowError):
        reader.fault(form.node, "mapping.cap", "nested too deeply to be compiled")
        return None
    room, levels = limit - room_of(form), MAX_LEVELS - depth(form)
    if room < 0 or levels < 0:
        run = _too_much
    sites = tuple(careful.sites)
    return Program(run, again, sites, file, filename, form.node, shape, room, levels, limit)


def _too_much(_scope: abc.Mapping[str, Json], _budget: Budget) -> Json:
    """Leave it to the careful program."""
    raise LookupError


def _fatal(faults: list[Fault]) -> bool:
    return any(not fault.warning for fault in faults)


def _as_text(value: Json) -> Json:
    if type(value) in (str, int):
        return value
    raise Stop("mapping.kind", f"{{path}} must give a text or a whole number, found {kind(value)}")


_SHAPES: dict[Gives, abc.Callable[[Json], Json]] = {
    "any": lambda value: value,
    "bool": truth,
    "text": _as_text,
}
