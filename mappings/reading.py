"""YAML read into the forms of a mapping; every fault is written down, none stops the reading."""

import re
from collections.abc import Mapping
from dataclasses import replace

from hub.errors import Fault
from hub.nodes import Items, Node, Scalar, Table, fault
from mappings import grammar
from mappings.forms import Concat, For, Form, If, List, Literal, Lone, Object, Switch, Text
from mappings.parser import Formula, Refusal, is_marked, parse, parse_bare

MAX_LEAVES = 5000
MAX_LOOPS = 4
MAX_LEVELS = 40

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOR = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s+in\s+")
_FORMS = {
    "$for": ("$for", "$index", "$if", "$value"),
    "$if": ("$if", "$value", "$else"),
    "$switch": ("$switch", "$else"),
    "$concat": ("$concat",),
}


class Reader:
    """Reads one mapping's values; collects every fault, gives None for what cannot be read."""

    faults: list[Fault]
    used: set[str]

    def __init__(self, file: str) -> None:
        self.faults, self.used = [], set()
        self._file, self._leaves = file, 0

    def fault(
        self, node: Node, code: str, text: str, *, offset: int | None = None, fix: str = "",
        warning: bool = False,
    ) -> None:  # fmt: skip
        """Write down a fault."""
        found = fault(node, code, text, offset=offset, fix=fix, warning=warning)
        self.faults.append(replace(found, file=self._file))

    def told(self) -> list[Fault]:
        """Give the faults in the order of their places."""
        return sorted(self.faults, key=lambda found: (found.line, found.col))

    def form(
        self, node: Node, names: Mapping[str, str], loops: int = 0, level: int = 1
    ) -> Form | None:
        """Read a value.

        Args:
            names: What may be named here, and what each is: `root`, `let` or `loop`.
        """
        if level > MAX_LEVELS:
            self.fault(node, "mapping.cap", f"more than {MAX_LEVELS} levels")
            return None
        if isinstance(node, Scalar):
            return self.scalar(node, names, omit=True)
        if isinstance(node, Items):
            items = [self.form(item, names, loops, level + 1) for item in node.items]
            return List(node=node, items=tuple(i for i in items if i is not None))
        if any(key.text.startswith("$") and not key.text.startswith("$$") for key, _ in node.pairs):
            return self._special(node, names, loops, level)
        return Object(node=node, fields=self._fields(node, names, loops, level))

    def scalar(self, node: Scalar, names: Mapping[str, str], *, omit: bool) -> Form | None:
        """Read a literal, a text or a lone expression."""
        self._leaves += 1
        if self._leaves == MAX_LEAVES + 1:
            self.fault(node, "mapping.cap", f"more than {MAX_LEAVES} values in one mapping")
        if self._leaves > MAX_LEAVES:
            return None
        if not isinstance(node.value, str) or not is_marked(node.text):
            return Literal(node=node)
        try:
            formula = parse(node)
        except Refusal as refusal:
            self._refused(node, refusal)
            return None
        if not self._is_ours(formula, names, omit=omit):
            return None
        kind = Lone if formula.lone is not None else Text
        return kind(node=node, formula=formula)

    # -- the $ forms
    def _special(
        self, node: Table, names: Mapping[str, str], loops: int, level: int
    ) -> Form | None:
        kind = next((key for key in _FORMS if node.get(key) is not None), None)
        if kind is None:
            for key, _ in node.pairs:
                if key.text.startswith("$") and not key.text.startswith("$$"):
                    self._unknown(key, _FORMS, "no such form")
            return None
        if kind != "$switch":
            for key, _ in node.pairs:
                if key.text not in _FORMS[kind]:
                    self._unknown(key, _FORMS[kind], f"{kind} takes no such key")
            if "$value" in _FORMS[kind] and node.get("$value") is None:
                self.fault(node, "key.missing", f"{kind} needs '$value'", fix="$value: …")
                return None
        read = {
            "$for": self._for, "$if": self._if, "$switch": self._switch, "$concat": self._concat,
        }  # fmt: skip
        return read[kind](node, names, loops, level)

    def _unknown(
        self, key: Scalar, known: Mapping[str, object] | tuple[str, ...], why: str
    ) -> None:
        near = grammar.closest(key.text, known)
        self.fault(key, "key.unknown", f"'{key.text}': {why}",
                   fix=f"{near} A literal key is written '${key.text}'")  # fmt: skip

    def _for(self, node: Table, names: Mapping[str, str], loops: int, level: int) -> Form | None:
        if loops == MAX_LOOPS:
            self.fault(node, "mapping.cap", f"$for nests at most {MAX_LOOPS} deep")
            return None
        head, index = node.get("$for"), node.get("$index")
        match = _FOR.match(head.text) if isinstance(head, Scalar) else None
        if not isinstance(head, Scalar) or match is None:
            self.fault(head or node, "mapping.syntax", "$for is written 'name in expression'",
                       fix="$for: line in order.lines")  # fmt: skip
            return None
        over = self._bare(head, match.end(), names)
        inner = dict(names)
        self.declare(head, match[1], inner, "loop", offset=match.start(1))
        if index is not None:
            self.declare(index, index.text if isinstance(index, Scalar) else "", inner, "loop")
        test, value = node.get("$if"), node.get("$value")
        keep = self._lone(test, inner, "$if") if test is not None else None
        each = self.form(value, inner, loops + 1, level + 1) if value is not None else None
        if over is None or each is None or (test is not None and keep is None):
            return None
        name = index.text if isinstance(index, Scalar) else None
        return For(node=node, name=match[1], index=name, over=over, keep=keep, value=each)

    def _if(self, node: Table, names: Mapping[str, str], loops: int, level: int) -> Form | None:
        test = self._lone(node.get("$if"), names, "$if")
        value, other = (
            self.form(branch, names, loops, level + 1) if branch is not None else None
            for branch in (node.get("$value"), node.get("$else"))
        )
        if test is None or value is None or (node.get("$else") is not None and other is None):
            return None
        return If(node=node, test=test, value=value, other=other)

    def _switch(self, node: Table, names: Mapping[str, str], loops: int, level: int) -> Form | None:
        on, other = self._lone(node.get("$switch"), names, "$switch"), node.get("$else")
        cases = Table(
            pairs=tuple(p for p in node.pairs if p[0].text not in _FORMS["$switch"]),
            line=node.line, col=node.col, source=node.source,
        )  # fmt: skip
        read = self._fields(cases, names, loops, level)
        default = self.form(other, names, loops, level + 1) if other is not None else None
        if on is None or (other is not None and default is None):
            return None
        return Switch(node=node, on=on, cases=read, other=default)

    def _concat(self, node: Table, names: Mapping[str, str], loops: int, level: int) -> Form | None:
        parts = node.get("$concat")
        if not isinstance(parts, Items):
            self.fault(parts or node, "mapping.syntax", "$concat wants a list of lists")
            return None
        lists = [self.form(part, names, loops, level + 1) for part in parts.items]
        return Concat(node=node, lists=tuple(form for form in lists if form is not None))

    def _fields(
        self, node: Table, names: Mapping[str, str], loops: int, level: int
    ) -> tuple[tuple[str, Scalar, Form], ...]:
        found = []
        for key, value in node.pairs:
            if is_marked(key.text):
                self.fault(key, "mapping.node", "keys are literal", fix="use a fixed key")
            form = self.form(value, names, loops, level + 1)
            name = key.text[1:] if key.text.startswith("$$") else key.text
            if name.startswith("$") and not key.text.startswith("$$"):
                self._unknown(key, _FORMS["$switch"], "no such form")
            elif form is not None:
                found.append((name, key, form))
        return tuple(found)

    # -- expressions and names
    def _lone(self, node: Node | None, names: Mapping[str, str], where: str) -> Lone | None:
        form = self.scalar(node, names, omit=False) if isinstance(node, Scalar) else None
        if isinstance(form, Lone):
            return form
        if node is not None and (form is not None or not isinstance(node, Scalar)):
            self.fault(node, "mapping.syntax", f"{where} wants one expression",
                       fix=f'{where}: "{{{{ … }}}}"')  # fmt: skip
        return None

    def _bare(self, node: Scalar, offset: int, names: Mapping[str, str]) -> Lone | None:
        try:
            formula = parse_bare(node, offset)
        except Refusal as refusal:
            self._refused(node, refusal)
            return None
        if formula.lone is None:
            self.fault(node, "mapping.syntax", "$for wants one expression after 'in'")
            return None
        ours = self._is_ours(formula, names, omit=False)
        return Lone(node=node, formula=formula) if ours else None

    def _is_ours(self, formula: Formula, names: Mapping[str, str], *, omit: bool) -> bool:
        before = len(self.faults)
        for refusal in grammar.refusals(formula, names, omit=omit):
            self._refused(formula.scalar, refusal)
        self.used |= grammar.named(formula)
        return len(self.faults) == before

    def _refused(self, node: Scalar, refusal: Refusal) -> None:
        self.fault(node, refusal.code, refusal.text, offset=refusal.offset, fix=refusal.fix)

    def declare(
        self, node: Node, name: str, names: dict[str, str], kind: str, offset: int | None = None
    ) -> None:
        """Add a name to a scope, unless it is none, or is one already."""
        if not NAME.fullmatch(name) or name in grammar.RESERVED:
            self.fault(node, "mapping.name", f"'{name}' cannot be a name", offset=offset)
        elif name in names:
            self.fault(node, "mapping.name", f"'{name}' is a name already", offset=offset,
                       fix="choose another")  # fmt: skip
        else:
            names[name] = kind
