"""A tree of YAML in which every key and every value knows its place; and how to walk it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hub.errors import Fault
from hub.model import Json

Path: TypeAlias = tuple[str | int, ...]

SHOWN = 200
_ANCHOR = re.compile(r"&\S+\s+")


@dataclass(frozen=True, slots=True)
class Source:
    """The text a node was read from, by lines."""

    file: str
    lines: tuple[str, ...] = ()

    def line(self, number: int) -> str:
        """Give a line by its number, counted from 1; "" where there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def shown(self, number: int, col: int) -> str:
        """Give a line as a fault prints it: not past SHOWN characters."""
        return self.line(number)[:SHOWN] if col <= SHOWN else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node stands.

    Args:
        line: Counted from 1, like `col`; in an alias the place of its anchor.
        used: Line and column of the alias, where the node was reached through one.
    """

    line: int = 0
    col: int = 0
    source: Source = field(default=Source(""), compare=False, repr=False)
    used: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar(Place):
    """One value.

    Args:
        value: As our rules read it: text, int, Decimal, bool or None.
        text: As written, quotes and folding undone.
        style: "" for plain text, else the quote or block sign: one of ' " | >.
    """

    value: Json
    text: str
    style: str = ""

    def at(self, offset: int) -> tuple[int, int]:
        """Give line and column of a character of `text`; of the scalar where that is unclear."""
        if self.style in ("|", ">"):
            return self._in_block(offset)
        written = self.source.line(self.line)[self.col - 1 :]
        anchor = _ANCHOR.match(written)
        before = (anchor.end() if anchor else 0) + len(self.style)
        if written[before:].startswith(self.text[: offset + 1]):
            return self.line, self.col + before + offset
        return self.line, self.col

    def _in_block(self, offset: int) -> tuple[int, int]:
        row = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        content = self.text[start:].partition("\n")[0]
        written = self.source.line(self.line + 1 + row)
        indent = len(written) - len(content)
        if written.endswith(content) and not written[:indent].strip(" "):
            return self.line + 1 + row, indent + offset - start + 1
        return self.line, self.col


@dataclass(frozen=True, slots=True, kw_only=True)
class Items(Place):
    """A list."""

    items: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Place):
    """Keys and values in the order written; a key written twice stands here once, the first."""

    pairs: tuple[tuple[Scalar, "Node"], ...] = ()

    def get(self, key: str) -> "Node | None":
        """Give the value of a key."""
        return next((value for name, value in self.pairs if name.text == key), None)

    def key(self, key: str) -> Scalar | None:
        """Give the key itself, for its place."""
        return next((name for name, _ in self.pairs if name.text == key), None)


Node: TypeAlias = Scalar | Items | Table


@dataclass(frozen=True, slots=True)
class Spot:
    """A node and, inside a table, the key it stands under."""

    node: Node
    key: Scalar | None = None


def plain(node: Node) -> Json:
    """Give the values alone, as Python data; keys are always text."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.pairs}


def walk(node: Node, path: Path = (), key: Scalar | None = None) -> Iterator[tuple[Path, Spot]]:
    """Yield every node below and including this one, with its path and key."""
    yield path, Spot(node, key)
    if isinstance(node, Items):
        for index, item in enumerate(node.items):
            yield from walk(_carry(item, node), (*path, index))
    elif isinstance(node, Table):
        for name, value in node.pairs:
            yield from walk(_carry(value, node), (*path, name.text), _carry_key(name, node))


def nearest(node: Node, path: Path) -> tuple[Spot, Path]:
    """Follow a path as far as it goes; give where it ends and the part that was found."""
    spot, found = Spot(node), 0
    for step in path:
        below = _step(spot.node, step)
        if below is None:
            break
        spot, found = below, found + 1
    return spot, path[:found]


def fault(
    place: Node, code: str, text: str, *, offset: int | None = None, fix: str = "",
    warning: bool = False,
) -> Fault:  # fmt: skip
    """Make a fault that points at a node, or at one character of a scalar's text."""
    line, col = place.line, place.col
    if offset is not None and isinstance(place, Scalar):
        line, col = place.at(offset)
    if place.used:
        text += f" (used at line {place.used[0]})"
    return Fault(
        code=code, text=text, file=place.source.file, line=line, col=col, fix=fix,
        source=place.source.shown(line, col), warning=warning,
    )  # fmt: skip


def _step(node: Node, step: str | int) -> Spot | None:
    if isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node.items):
        return Spot(_carry(node.items[step], node))
    if isinstance(node, Table):
        for name, value in node.pairs:
            if name.text == str(step):
                return Spot(_carry(value, node), _carry_key(name, node))
    return None


def _carry(node: Node, parent: Place) -> Node:
    """Hand down where an alias was used."""
    return replace(node, used=parent.used) if parent.used and not node.used else node


def _carry_key(key: Scalar, parent: Place) -> Scalar:
    return replace(key, used=parent.used) if parent.used else key
