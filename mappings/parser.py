"""Text with `{{ expressions }}` read by Jinja's own parser; nothing of Jinja ever runs.

Every node's `lineno` is the offset of its first character in the text: the parser is fed tokens
that carry offsets where Jinja's own carry line numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from hub.nodes import Scalar

MAX_CHARACTERS = 2000

_MARKED = re.compile(r"\{[{%#]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_REFUSED = {
    "block_begin": "statements {% %} are not part of the language",
    "raw_begin": "statements {% %} are not part of the language",
    "comment_begin": "comments {# #} are not part of the language",
}


class Refusal(Exception):
    """One expression cannot be read, or is not of the language; `offset` is in its scalar."""

    def __init__(self, code: str, text: str, offset: int, fix: str = "") -> None:
        self.code, self.text, self.offset, self.fix = code, text, offset, fix
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Formula:
    """A scalar with expressions.

    Args:
        parts: Literal text and expressions, in order.
        shift: Offset in the scalar less offset in the nodes.
    """

    scalar: Scalar
    parts: tuple[str | nodes.Expr, ...]
    shift: int = 0

    @property
    def lone(self) -> nodes.Expr | None:
        """Give the expression, where the scalar is exactly one."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, nodes.Expr) else None

    @property
    def expressions(self) -> tuple[nodes.Expr, ...]:
        """Give the expressions alone."""
        return tuple(part for part in self.parts if isinstance(part, nodes.Expr))

    def source(self, node: nodes.Node) -> int:
        """Give the offset in the scalar at which a node begins."""
        if isinstance(node, nodes.Operand | nodes.Compare | nodes.Tuple):
            node = _leftmost(node)  # Jinja places these at their end, or not at all
        offset = node.lineno + self.shift
        if isinstance(node, nodes.Getattr):  # Jinja's node begins at the dot
            after = re.compile(r"\.?\s*").match(self.scalar.text, offset)
            offset = after.end() if after else offset
        return offset


def _leftmost(node: nodes.Node) -> nodes.Node:
    while True:
        below = getattr(node, "expr", None) or getattr(node, "node", None)
        if isinstance(node, nodes.Tuple):
            below = node.items[0] if node.items else None
        if below is None:
            return node
        node = below


def is_marked(text: str) -> bool:
    """Say whether a text is more than a literal."""
    return _MARKED.search(text) is not None


def parse(scalar: Scalar) -> Formula:
    """Read a scalar that `is_marked`.

    Raises:
        Refusal: Jinja's parser stops, or the text holds more than expressions.
    """
    return _parse(scalar, scalar.text, 0)


def parse_bare(scalar: Scalar, offset: int) -> Formula:
    """Read the rest of a scalar, from an offset on, as one expression without its braces.

    Raises:
        Refusal: As `parse`.
    """
    return _parse(scalar, "{{" + scalar.text[offset:] + "}}", offset - 2)


def _parse(scalar: Scalar, text: str, shift: int) -> Formula:
    if "\r" in text:
        raise Refusal("mapping.syntax", "a carriage return cannot stand beside {{ }}", 0)
    try:
        template = Parser(_ENVIRONMENT, text).parse()
    except TemplateSyntaxError as error:
        message = error.message or "not an expression"
        raise Refusal("mapping.syntax", message, error.lineno + shift) from error
    except RecursionError as error:
        raise Refusal("mapping.cap", "an expression nested too deeply", 0) from error
    except Refusal as refusal:
        refusal.offset += shift
        raise
    return Formula(scalar, tuple(_parts(template)), shift)


def _parts(template: nodes.Template) -> Iterator[str | nodes.Expr]:
    for output in template.body:
        for part in output.nodes if isinstance(output, nodes.Output) else ():
            yield part.data if isinstance(part, nodes.TemplateData) else part


class _Offsets(Environment):
    """Jinja's environment, whose tokens know their offset instead of their line."""

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        return TokenStream(self._tokens(source), name, filename)

    def _tokens(self, source: str) -> Iterator[Token]:
        offset = begun = 0
        raw = self.lexer.tokeniter(source, None)
        while True:
            try:
                _, kind, value = next(raw)
            except StopIteration:
                return
            except TemplateSyntaxError as error:
                error.lineno = offset
                raise
            if kind.endswith("_begin"):  # Jinja has cut the white space before a {{-
                offset = begun = source.index(value, offset)
            _refuse(kind, value, offset, begun)
            yield from self._convert(kind, value, offset)
            offset += len(value)

    def _convert(self, kind: str, value: str, offset: int) -> Iterator[Token]:
        """Read numbers and texts ourselves: exact, and with no escape that Python only guesses."""
        if kind == "float":
            yield Token(offset, "float", Decimal(value.replace("_", "")))  # type: ignore[arg-type] # a Const takes any value
        elif kind == "string":
            yield Token(offset, "string", _unescape(value[1:-1], offset + 1))
        else:
            yield from self.lexer.wrap([(offset, kind, value)])


_ENVIRONMENT = _Offsets(keep_trailing_newline=True)


def _refuse(kind: str, value: str, offset: int, begun: int) -> None:
    if kind in _REFUSED:
        raise Refusal("mapping.node", _REFUSED[kind], offset)
    if (kind == "variable_begin" and value != "{{") or (
        kind == "variable_end" and value.strip() != "}}"
    ):
        raise Refusal("mapping.node", "{{- -}} is not part of the language", offset, "{{ … }}")
    if offset - begun > MAX_CHARACTERS and kind not in ("data", "variable_begin"):
        raise Refusal("mapping.cap", f"more than {MAX_CHARACTERS} characters in one expression",
                      begun)  # fmt: skip


def _unescape(text: str, offset: int) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        if code and not 0xD800 <= int(code, 16) <= 0xDFFF:
            return chr(int(code, 16))
        if match[3] in _ESCAPED:
            return _ESCAPED[match[3]]
        raise Refusal("mapping.syntax", f"'{match[0]}' is not an escape", offset + match.start(),
                      "write \\\\ for a backslash")  # fmt: skip

    return _ESCAPE.sub(one, text)
