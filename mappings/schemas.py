"""JSON Schemas as the checker reads them: fields, items, what is required. Types come later."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hub.model import Json
from hub.personal import MARK, PERSONAL

_MAX_STEPS = 20  # references to references; a schema that turns in circles is not known


@dataclass(frozen=True, slots=True)
class Schema:
    """One place in a JSON Schema document; `node` None means that nothing is known of it."""

    document: Json
    node: Json = None

    @classmethod
    def of(cls, document: dict[str, Json] | None) -> "Schema":
        """Begin at a document's root."""
        return cls(document, _resolved(document, document))

    def field(self, name: str) -> "Schema | Literal['absent']":
        """Go to a field; 'absent' where the schema is known not to have it."""
        known = self.fields()
        if known is None:
            return self._of(self.node.get("additionalProperties") if self._is_object() else None)
        if name in known:
            return self._of(known[name])
        more = self.node.get("additionalProperties", False)
        return "absent" if more is False else self._of(more)

    def items(self) -> "Schema":
        """Go to a list's items."""
        return self._of(self.node.get("items") if self._is_object() else None)

    def fields(self) -> dict[str, Json] | None:
        """Give the fields by name; None where they are not known."""
        found = self.node.get("properties") if self._is_object() else None
        return found if isinstance(found, dict) else None

    def required(self) -> list[str]:
        """Give the names that must be there."""
        return list(self.node.get("required", ())) if self._is_object() else []

    def personal(self) -> bool | None:
        """Say whether it is marked for personal data; None where nothing is said."""
        said = self.node.get(MARK) if self._is_object() else None
        return said if isinstance(said, bool) else None

    def _of(self, node: Json) -> "Schema":
        found = _resolved(self.document, node)
        if self.personal():  # so is all that is inside
            found = PERSONAL | (found or {})
        return Schema(self.document, found)

    def _is_object(self) -> bool:
        return isinstance(self.node, dict)


def _resolved(document: Json, node: Json) -> Json:
    """Follow references and `or null`, keeping marks; None where it may be more than one thing."""
    marks: dict[str, Json] = {}
    for _ in range(_MAX_STEPS):
        if not isinstance(node, dict):
            return marks or None
        marks = {MARK: node[MARK]} | marks if MARK in node else marks
        if "$ref" in node:
            node = _pointed(document, node["$ref"])
            continue
        choices = [one for key in ("anyOf", "oneOf", "allOf") for one in node.get(key, ())]
        choices = [one for one in choices if one != {"type": "null"}]
        if not choices:
            return node | marks
        if len(choices) > 1:
            return marks or None
        node = choices[0]
    return None


def marked(value: Json, schema: Schema) -> Iterator[str]:
    """Yield the texts of a value that stand where its schema marks them as personal."""
    if isinstance(value, dict):
        for name, held in value.items():
            field = schema.field(name)
            if field != "absent":
                yield from marked(held, field)
    elif isinstance(value, list):
        for item in value:
            yield from marked(item, schema.items())
    elif isinstance(value, str) and schema.personal():
        yield value


def _pointed(document: Json, reference: Json) -> Json:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node = document
    for step in reference[2:].split("/"):
        node = (
            node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        )
    return node
