"""All faults of one run, each with its place; what is secret stays out of every line of them.

A path is what pydantic calls `loc`: keys and indexes from the root of the tree.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub.config.references import is_whole
from hub.errors import Fault
from hub.nodes import Node, Path, Scalar, Table, fault, nearest, walk

MASK = "‹masked›"
SHORTEST_WORD = 6  # a shorter one might be part of any text
CLOSE_CALL = 0.02
_SECRETISH = re.compile(r"(?i)\b(?:\w+_keys?|\w*(?:secret|token|password)s?)[\"']?\s*:[ \t]*")
_REFERENCES = re.compile(r"[\[{\s\"']*\$\{[^{}]*\}[\]}\s\"',]*(#.*)?")
_BARE_ITEM = re.compile(r"\s*- (?![\"']?\$\{)(?!\w+:(\s|$))(?!\{)")
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")


class Report:
    """Collects faults while the passes run over one tree."""

    def __init__(self, tree: Node | None = None) -> None:
        self.tree: Node = tree or Table()
        self._faults: list[Fault] = []
        self._hidden: list[Scalar] = []
        self._words: dict[str, str] = {}

    def copy(self) -> "Report":
        """Give another that knows the same faults."""
        made = Report(self.tree)
        made.add(*self._faults)
        return made

    @property
    def broken(self) -> bool:
        """Say whether there is any fault that is more than a warning."""
        return any(not fault.warning for fault in self._faults)

    def add(self, *faults: Fault) -> None:
        """Note faults that know their place."""
        self._faults += faults

    def at(
        self,
        path: Path,
        code: str,
        text: str,
        fix: str = "",
        *,
        key: bool = False,
        warning: bool = False,
    ) -> None:
        """Note a fault at a value, or its key, or the nearest parent there is."""
        spot, found = nearest(self.tree, path)
        place = spot.key if key and spot.key and found == path else spot.node
        self.add(fault(place, code, text, fix=fix, warning=warning))

    def hide(self, path: Path, *, name: str = "", value: str = "") -> None:
        """Keep all below a path out of every fault, and a secret's value out of every text."""
        spot, found = nearest(self.tree, path)
        if found == path:
            inside = (s.node for _, s in walk(spot.node))
            self._hidden += [n for n in inside if isinstance(n, Scalar) and not is_whole(n.text)]
        for line in (one.strip() for one in value.splitlines()):
            if len(line) >= SHORTEST_WORD:
                self._words[line] = f"‹secret:{name}›"

    def hides(self, scalar: Scalar) -> bool:
        """Say whether a value is kept out of every fault."""
        place = (scalar.source.file, scalar.line, scalar.col)
        return any(place == (one.source.file, one.line, one.col) for one in self._hidden)

    def faults(self, files: Sequence[str] = ()) -> list[Fault]:
        """Give every fault once, sorted by file (in this order) and place, secrets masked."""
        order = {name: n for n, name in enumerate(files)}
        shown = dict.fromkeys(self._shown(fault) for fault in self._faults)
        return sorted(shown, key=lambda f: (order.get(f.file, -1), f.file, f.line, f.col))

    def _shown(self, found: Fault) -> Fault:
        return replace(
            found,
            text=self._masked(found.text),
            fix=self._masked(found.fix),
            source=self._masked(self._cut(found)).rstrip(),
        )

    def _cut(self, found: Fault) -> str:
        """Cut a fault's line where a hidden value begins on it; drop it inside a longer value."""
        line = found.source
        for scalar in self._hidden:
            if scalar.source.file != found.file or not scalar.line:
                continue
            if scalar.line < found.line <= scalar.line + scalar.text.count("\n"):
                return MASK
            if scalar.line == found.line:
                line = line[: scalar.col - 1] + MASK
        return unread(line) if found.code.startswith("yaml.") else line

    def _masked(self, text: str) -> str:
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, self._words[word])
        return without_password(text)


def without_password(text: str) -> str:
    """Mask the password of a URL.

    >>> without_password("postgresql+asyncpg://hub:secret@db/hub")
    'postgresql+asyncpg://hub:‹masked›@db/hub'
    """
    return _PASSWORD.sub(rf"\1{MASK}@", text)


def unread(line: str) -> str:
    """Mask what may be a secret in a line of a file that could not be read: nobody knows its keys.

    >>> unread("api_key: sk_live_1: 2")
    'api_key: ‹masked›'
    >>> unread('api_key: "${env:KEY}", mode: test: x')
    'api_key: ‹masked›'
    >>> unread('  - whsec_1 ]')
    '  - ‹masked›'
    """
    if found := _SECRETISH.search(line):
        rest = line[found.end() :]
        return line if not rest or _REFERENCES.fullmatch(rest) else line[: found.end()] + MASK
    item = _BARE_ITEM.match(line)
    return line[: item.end()] + MASK if item else line


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as people do.

    >>> dotted(("routes", 2, "retry", "max_age"))
    'routes[2].retry.max_age'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "config.yaml"


def suggest(word: str, known: Iterable[str]) -> str:
    """Say which known word was meant, or list them.

    >>> suggest("stripr", ["stripe", "hubspot"])
    "did you mean 'stripe'?"
    """
    names = sorted(known)
    if close := difflib.get_close_matches(word, names, n=2, cutoff=0.6):
        best, *second = [difflib.SequenceMatcher(None, name, word).ratio() for name in close]
        near = close if second and best - second[0] < CLOSE_CALL else close[:1]
        return f"did you mean {' or '.join(repr(name) for name in near)}?"
    return f"there is: {', '.join(names[:20])}" if names else ""
