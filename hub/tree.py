"""YAML read into a tree of places (hub.nodes), with all its faults at once.

Reads one document of the YAML that configuration and mappings allow: no tags, no merge keys, no
second document, within caps that are counted on the parser's events, before anything is built.
It opens no file, resolves no reference and knows no key.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.reader import ReaderError

from hub.errors import Fault
from hub.model import Json
from hub.nodes import (
    Items,
    Node,
    Path,
    Place,
    Scalar,
    Source,
    Spot,
    Table,
    fault,
    nearest,
    plain,
    walk,
)

__all__ = [
    "Items", "Node", "Path", "Place", "Scalar", "Source", "Spot", "Table",
    "compose", "fault", "nearest", "plain", "walk",
]  # fmt: skip

MAX_BYTES = 1 << 20
MAX_ALIASES = 50
MAX_LEVELS = 64
MAX_NODES = 30_000  # the parser takes about 27 µs for each: under a second for all of them
MAX_DIGITS = 100

_BREAKS = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # as ruamel.yaml counts lines
_OPENINGS = re.compile(r"(?:[\[{]\s*){256}")
_SIGNS = ("\n", ",", "[", "{", ": ")  # of which each begins a node, or nearly
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "true": True, "false": False}


def compose(text: str, file: str) -> tuple[Node | None, list[Fault]]:
    """Read one document; a tree comes back wherever the parser got through, faults or not.

    Args:
        text: Hostile until proven; no more than 1 MiB is looked at.
        file: The name that faults carry.
    """
    text = text.removeprefix("\ufeff")
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        return None, [Fault(code="yaml.too_big", text="more than 1 MiB", file=file)]
    if (fault := _hopeless(text, file)) is not None:
        return None, [fault]
    reading = _Reading(Source(file, tuple(_BREAKS.split(text))))
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            reading.take(event)
    except _Stop:
        reading.root = None
    except (YAMLError, RecursionError, ValueError) as error:
        reading.root = None
        reading.stopped(error, text)
    return reading.root, sorted(reading.faults, key=lambda f: (f.line, f.col))


def _hopeless(text: str, file: str) -> Fault | None:
    """Refuse at a glance what the parser would take seconds to refuse."""
    if (found := _OPENINGS.search(text)) is not None:
        before = _BREAKS.split(text[: found.start()])
        most = f"more than {MAX_LEVELS} levels"
        line, col = len(before), len(before[-1]) + 1
        return Fault(code="yaml.too_big", text=most, file=file, line=line, col=col)
    if sum(map(text.count, _SIGNS)) > MAX_NODES:
        most = f"more than {MAX_NODES} lines, commas, brackets and keys"
        return Fault(code="yaml.too_big", text=most, file=file)
    return None


class _Stop(Exception):
    """A cap is passed; the fault is written."""


@dataclass(slots=True)
class _Open:
    """A list or table whose end has not come yet."""

    event: CollectionStartEvent
    table: bool
    children: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1
    braces: bool = False

    @property
    def wants_key(self) -> bool:
        return self.table and len(self.children) % 2 == 0


class _Reading:
    """One pass over the parser's events, with its own stack: no depth of input can exhaust it."""

    def __init__(self, source: Source) -> None:
        self.source, self.root, self.faults = source, None, []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._aliases = self._nodes = self._documents = self._braces_line = 0

    source: Source
    root: Node | None
    faults: list[Fault]

    def take(self, event: Event) -> None:
        """Take the parser's next event."""
        if isinstance(event, DocumentStartEvent):
            self._document(event)
        elif isinstance(event, ScalarEvent):
            self._tagless(event)
            self._put(self._scalar(event), event, 1, 0)
        elif isinstance(event, CollectionStartEvent):
            self._tagless(event)
            self._begin(event)
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            self._end(event)
        elif isinstance(event, AliasEvent):
            self._alias(event)

    def stopped(self, error: Exception, text: str) -> None:
        """Say why the parser stopped."""
        line, col = _mark(error, text)
        if self._braces_line == line:
            return
        written, fix = self.source.line(line), ""
        if written[col - 2 : col] == "${":
            self._fault("yaml.braces", "${…} must be quoted here", line, col - 1,
                        fix=f'"{written[col - 2 :].partition("}")[0]}}}"')  # fmt: skip
            return
        opened = getattr(error, "context_mark", None)
        if opened is not None and "while" in str(getattr(error, "context", "")):
            what = str(error.context).split()[-1]  # type: ignore[attr-defined] # asked above
            fix = f"close the {what} opened at line {opened.line + 1}"
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        self._fault("yaml.syntax", str(problem), line, col, fix=fix)

    # -- events
    def _document(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._at(event, "yaml.documents", "a file holds one document, here a second begins",
                     fix="remove the ---, or make it a file of its own")  # fmt: skip
            raise _Stop

    def _tagless(self, event: ScalarEvent | CollectionStartEvent) -> None:
        if event.tag is not None:
            self._at(event, "yaml.tag", "tags are not part of this language",
                     fix="use defaults: or include:; quote a text that begins with !")  # fmt: skip

    def _begin(self, event: CollectionStartEvent) -> None:
        table = isinstance(event, MappingStartEvent)
        if table and self._open and self._open[-1].wants_key:
            self._key_is_table(event, self._open[-1])
        self._count(event, 1, 1)
        self._open.append(_Open(event, table=table))

    def _end(self, event: Event) -> None:
        done = self._open.pop()
        node = self._table(done, event) if done.table else self._items(done)
        self._put(node, done.event, done.size, done.height)

    def _alias(self, event: AliasEvent) -> None:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._too_big(event, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            inside = any(event.anchor == opened.event.anchor for opened in self._open)
            why = "stands inside its own anchor" if inside else "names no anchor above"
            self._at(event, "yaml.syntax", f"'*{event.anchor}' {why}")
            self._put(Scalar(value=None, text="", **self._place(event)), None, 1, 0)
            return
        node, size, height = self._anchors[event.anchor]
        self._count(event, size, height)
        line, col = event.start_mark.line + 1, event.start_mark.column + 1
        self._put(replace(node, used=(line, col)), None, size, height)

    # -- nodes
    def _put(self, node: Node, event: NodeEvent | None, size: int, height: int) -> None:
        """Hang a finished node under what is open, and remember it by its anchor."""
        if isinstance(event, ScalarEvent):
            self._count(event, 1, 0)
        if event is not None and event.anchor is not None:
            self._anchors[event.anchor] = node, size, height
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.size += size
        parent.height = max(parent.height, height + 1)

    def _scalar(self, event: ScalarEvent) -> Scalar:
        style, place = event.style or "", self._place(event)
        if not style and not event.value and self._open and not self._open[-1].wants_key:
            place = self._before(place)
        if not style:
            self._comment(event.value, place if not event.value else self._place(event, "end_mark"))
        value = event.value if style else self._plain(event)
        return Scalar(value=value, text=event.value, style=style, **place)

    def _before(self, place: dict[str, Json]) -> dict[str, Json]:
        """Place an absent value after its key; the parser places it at whatever comes next."""
        last = self._open[-1].children[-1:]
        if not (self._open[-1].table and last and isinstance(last[0], Scalar)):
            return place
        key = last[0]
        end = self.source.line(key.line).find(":", key.col - 1 + len(key.text))
        return place | {"line": key.line, "col": end + 2 if end >= 0 else key.col}

    def _plain(self, event: ScalarEvent) -> Json:
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        whole = _INTEGER.fullmatch(text)
        if not (whole or _DECIMAL.fullmatch(text)):
            return text
        if len(text) > MAX_DIGITS:
            self._at(event, "yaml.too_big", f"a number of more than {MAX_DIGITS} digits",
                     fix="quote it, if it is a text")  # fmt: skip
            return text
        return int(text) if whole else Decimal(text)

    def _items(self, done: _Open) -> Items:
        return Items(items=tuple(done.children), **self._place(done.event))

    def _table(self, done: _Open, end: Event) -> Node:
        if done.braces:
            return self._as_written(done, end)
        pairs: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(done.children[::2], done.children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._at(key, "yaml.syntax", "a list or an object cannot be a key")
            elif key.text == "<<" and not key.style:
                self._at(key, "yaml.merge", "merge keys are not part of this language",
                         fix="use defaults: or include:")  # fmt: skip
            elif key.text in pairs:
                first = pairs[key.text][0].line
                self._at(key, "yaml.duplicate",
                         f"'{key.text}' is defined twice (first at line {first})",
                         fix="rename or merge one")  # fmt: skip
            else:
                pairs[key.text] = key, value
        return Table(pairs=tuple(pairs.values()), **self._place(done.event))

    # -- braces and comments
    def _key_is_table(self, event: CollectionStartEvent, outer: _Open) -> None:
        """Read `{{` for what it is: an expression without its quotes."""
        mark = outer.event.start_mark
        flow = event.flow_style and outer.event.flow_style
        if not flow or self._braces_line == mark.line + 1:
            return
        outer.braces = True
        self._braces_line = mark.line + 1
        rest = self.source.line(mark.line + 1)[mark.column :]
        bare = re.match(r"\{\{.*\}\}", rest)
        self._at(outer.event, "yaml.braces", "{{ … }} must be quoted here",
                 fix=_quoted(bare.group() if bare else "{{ … }}"))  # fmt: skip

    def _as_written(self, done: _Open, end: Event) -> Scalar:
        """Take bare `{{ … }}` for the text that was meant, so that the rest can be checked."""
        start, stop = done.event.start_mark, end.end_mark
        last = stop.column if stop.line == start.line else None
        text = self.source.line(start.line + 1)[start.column : last]
        return Scalar(value=text, text=text, **self._place(done.event))

    def _comment(self, text: str, end: dict[str, Json]) -> None:
        line, col = end["line"], end["col"]
        cut = re.match(r"\s+#.*\{\{", self.source.line(line)[col - 1 :])
        if cut:
            now = f"'{text}'" if text else "empty"
            self._fault("yaml.comment", f"text after ' #' is a comment: the value is now {now}",
                        line, col + cut.group().index("#"), fix="quote the value",
                        warning=True)  # fmt: skip

    # -- caps and faults
    def _count(self, event: Event, size: int, height: int) -> None:
        self._nodes += size
        if self._nodes > MAX_NODES:
            self._too_big(event, f"more than {MAX_NODES} nodes, aliases counted in full")
        if len(self._open) + height > MAX_LEVELS:
            self._too_big(event, f"more than {MAX_LEVELS} levels")

    def _too_big(self, event: Event, text: str) -> None:
        self._at(event, "yaml.too_big", text)
        raise _Stop

    def _place(self, event: Event, which: str = "start_mark") -> dict[str, Json]:
        mark = getattr(event, which)
        return {"line": mark.line + 1, "col": mark.column + 1, "source": self.source}

    def _at(self, what: Event | Place, code: str, text: str, *, fix: str = "") -> None:
        place = what if isinstance(what, Place) else Place(**self._place(what))
        self._fault(code, text, place.line, place.col, fix=fix)

    def _fault(
        self, code: str, text: str, line: int, col: int, *, fix: str = "", warning: bool = False
    ) -> None:
        self.faults.append(Fault(
            code=code, text=text, file=self.source.file, line=line, col=col, fix=fix,
            source=self.source.shown(line, col), warning=warning,
        ))  # fmt: skip


def _mark(error: Exception, text: str) -> tuple[int, int]:
    """Give line and column of what stopped the parser, counted from 1."""
    if isinstance(error, ReaderError):
        before = _BREAKS.split(text[: error.position])
        return len(before), len(before[-1]) + 1
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'
