"""What is known of a value before anything runs: its kinds, whether it may be absent, its cases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hub.model import Json
from hub.personal import is_personal
from mappings.schemas import Schema
from mappings.values import kind

Kinds: TypeAlias = frozenset[str]

NUMBER: Kinds = frozenset({"int", "decimal"})
WRITABLE: Kinds = NUMBER | {"string", "bool"}
_TYPES: Mapping[str, Kinds] = {
    "string": frozenset({"string"}),
    "integer": frozenset({"int"}),
    "number": NUMBER,
    "boolean": frozenset({"bool"}),
    "array": frozenset({"list"}),
    "object": frozenset({"object"}),
    "null": frozenset({"null"}),
}
_WORDS = {"int": "integer", "decimal": "number", "bool": "boolean", "list": "array"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one value.

    Args:
        kinds: The kinds it may have; None where nobody knows.
        absent: The written path of what may be missing; "" where it is sure.
        cases: All texts that it may be, where they are listed.
        schema: Its place in a schema.
        personal: The written path of the personal data in it; "" where there is none.
    """

    kinds: Kinds | None = None
    absent: str = ""
    cases: tuple[str, ...] | None = None
    schema: Schema = field(default_factory=lambda: Schema(None))
    personal: str = ""

    @classmethod
    def of(cls, schema: Schema) -> "Known":
        """Read what a schema says of a value."""
        return cls(kinds=kinds_of(schema), cases=cases_of(schema), schema=schema)

    def field(self, name: str, path: str) -> "Known":
        """Go to a field."""
        found = self.schema.field(name)
        if found == "absent":
            return Known()
        sure = self.schema.fields() is None or name in self.schema.required()
        absent = self.absent or ("" if sure else path)
        text = kinds_of(found) in (None, _TYPES["string"])
        said = found.personal()
        personal = (text and is_personal(name)) if said is None else said
        return replace(Known.of(found), absent=absent, personal=path if personal else "")

    def sure(self) -> "Known":
        """Give the same, where something else stands in for what is missing."""
        return replace(self, absent="")


UNKNOWN = Known()


def made(*kinds: str, of: Iterable[Known] = ()) -> Known:
    """Know a value by its kinds alone; personal data that went into it stays personal."""
    personal = next((one.personal for one in of if one.personal), "")
    return Known(kinds=frozenset(kinds), personal=personal)


def either(*values: Known) -> Known:
    """Know what is one of several values."""
    kinds = None
    if all(one.kinds is not None for one in values):
        kinds = frozenset(kind for one in values for kind in one.kinds or ())
    cases = None
    if all(one.cases is not None for one in values):
        cases = tuple(dict.fromkeys(case for one in values for case in one.cases or ()))
    absent = next((one.absent for one in values if one.absent), "")
    personal = next((one.personal for one in values if one.personal), "")
    return Known(kinds=kinds, cases=cases, absent=absent, personal=personal)


def constant(value: Json) -> Known:
    """Know a value that is written out."""
    cases = (value,) if isinstance(value, str) else None
    return Known(kinds=frozenset({kind(value)}), cases=cases)


def kinds_of(schema: Schema) -> Kinds | None:
    """Give the kinds that a schema allows; None where it does not say."""
    node = schema.node
    if not isinstance(node, dict):
        return None
    words = node.get("type")
    if isinstance(words, str):
        return _TYPES.get(words)
    if isinstance(words, list) and all(word in _TYPES for word in words):
        return frozenset(kind for word in words for kind in _TYPES[word])
    listed = node.get("enum", [node["const"]] if "const" in node else None)
    return frozenset(map(kind, listed)) if listed else None


def cases_of(schema: Schema) -> tuple[str, ...] | None:
    """Give the texts that a schema lists."""
    node = schema.node
    if not isinstance(node, dict):
        return None
    listed = node.get("enum", [node["const"]] if "const" in node else None)
    texts = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    return tuple(listed) if texts and listed else None


def worded(kinds: Iterable[str]) -> str:
    """Name kinds as a schema does.

    >>> worded({"int"}), worded({"int", "decimal"})
    ('integer', 'number')
    """
    names = {_WORDS.get(one, one) for one in kinds}
    return " or ".join(sorted(names - {"integer"} if "number" in names else names))
