"""An action as its admin declares it: method, path, effect, and the schema of its body."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    RootModel,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema

from connectors.http.settings import HeaderName, Part, fields_of
from hub import Connector, Effect, Json, deduped, keyed, unsafe, upsert

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
NEVER_OK = frozenset({401, 403, 408, 425, 429})  # they say what to do, not that it is done
_SPAN = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_BRACES = re.compile(r"\{[A-Za-z_]\w*\}")


def _span(value: Any) -> Any:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else value


def _path(path: str) -> str:
    if set(_BRACES.sub("", path)) & set("{}"):
        raise ValueError("has a brace that is no {field}")
    return path


def _status(status: int) -> int:
    if not (200 <= status < 300 or 400 <= status < 500) or status in NEVER_OK:
        raise ValueError("must be 2xx, or a 4xx that tells of the object, such as 409")
    return status


def _unused(name: str) -> str:
    if hasattr(Connector, name):
        raise ValueError("is a word of the hub's own; choose another name")
    return name


def _schema(schema: dict[str, Json]) -> dict[str, Json]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- most actions declare no schema
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.json_path}: {error.validator}") from error
    if schema.get("type", "object") != "object":
        raise ValueError("must be that of an object")
    if any(not ref.startswith("#") for ref in _references(schema)):
        raise ValueError("may refer to parts of its own alone: $ref wants '#/…'")
    return schema


def _references(schema: Json) -> Iterator[str]:
    """Yield every `$ref` in a schema."""
    if isinstance(schema, dict):
        found = (schema.get(name) for name in ("$ref", "$dynamicRef"))
        yield from (ref for ref in found if isinstance(ref, str))
    inside = schema.values() if isinstance(schema, dict) else schema
    for part in inside if isinstance(schema, dict | list) else ():
        yield from _references(part)


Span = Annotated[timedelta, BeforeValidator(_span), Field(strict=True)]
Path = Annotated[str, StringConstraints(pattern=r"^/[^?#\s]*$"), AfterValidator(_path)]
Query = Annotated[str, StringConstraints(pattern=r"^/[^#\s]*$"), AfterValidator(_path)]
Status = Annotated[int, AfterValidator(_status)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_unused)]


class Repeat(Part):
    """What repeating an action does; nothing set: it does it again."""

    upsert: str | None = Field(default=None, description="the body's field that names the object")
    keyed: Span | None = Field(default=None, description="how long the API remembers a key")
    deduped: Span | None = Field(default=None, description="how long it drops repeats of a key")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) > 1:
            raise ValueError("wants one of upsert, keyed, deduped")
        return self

    def effect(self) -> Effect:
        """Give it as connectors declare it."""
        if self.upsert is not None:
            return upsert(self.upsert)
        if self.keyed is not None:
            return keyed(self.keyed)
        return deduped(self.deduped) if self.deduped is not None else unsafe


class HttpAction(Part):
    """One thing that the API can be asked."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Path = Field(description="below base_url; {field} is a field of the body")
    ok: tuple[Status, ...] = Field(default=(), description="success statuses; else every 2xx")
    key_header: HeaderName | None = Field(default=None, description="carries the idempotency key")
    effect: Annotated[Repeat, BeforeValidator(lambda given: {} if given == "unsafe" else given)] = (
        Field(default=Repeat(), description="unsafe, or what makes repeating safe")
    )
    lookup: Query | None = Field(default=None, description="a GET whose 404 means: not seen")
    kind: Literal["write", "message", "money", "alert"] = "write"
    ref: str | None = Field(
        default=None, pattern=r"^[\w-]+(\.[\w-]+)*$", description="where an answer has its id"
    )
    body: Annotated[dict[str, Json], AfterValidator(_schema)] = Field(
        default={}, alias="schema", description="JSON Schema of the body"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What an effect promises must be there to keep it."""
        known = self.effect.keyed is not None or self.effect.deduped is not None
        if known and self.key_header is None:
            raise ValueError("needs key_header, which carries the key")
        if (self.effect.keyed is not None) != (self.lookup is not None):
            raise ValueError("keyed and lookup go together: who asks what became of it?")
        return self

    def needed(self) -> list[str]:
        """Name the fields that a body must have."""
        named = [self.effect.upsert] if self.effect.upsert else []
        return sorted({*fields_of(self.path), *fields_of(self.lookup or ""), *named})

    def schema_of(self) -> dict[str, Json]:
        """Give the schema of the body, with the fields that path and effect need."""
        required = sorted({*self.body.get("required", []), *self.needed()})
        return {**self.body, "type": "object"} | ({"required": required} if required else {})


class Body(RootModel[dict[str, Json]]):
    """A body; a class of its own for each action."""

    model_config = ConfigDict(frozen=True)
    declared: ClassVar[dict[str, Json]] = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Check it against the schema; the fault names the place and the rule, not the value."""
        if not self.declared.keys() - {"type", "required"}:  # as where no schema is declared
            return self._whole()
        from jsonschema.exceptions import best_match  # noqa: PLC0415 -- see _schema
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        try:
            found = best_match(self._checker().iter_errors(self.root))
        except Unresolvable as error:
            raise ValueError("the schema refers to a part that is not there") from error
        if found is not None:
            place = ".".join(map(str, found.absolute_path)) or "the body"
            raise ValueError(f"{place} breaks the schema's '{found.validator}'")
        return self

    def _whole(self) -> Self:
        """Check the one rule there is, that no needed field is missing."""
        if not self.root.keys() >= set(self.declared.get("required", ())):
            raise ValueError("the body breaks the schema's 'required'")
        return self

    @classmethod
    @cache
    def _checker(cls) -> Any:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 -- see _schema
        from referencing import Registry  # noqa: PLC0415

        return Draft202012Validator(cls.declared, registry=Registry())  # no reference is fetched

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Json]:
        """Show the declared schema, by which mappings are checked."""
        return dict(cls.declared)


def body_model(action: HttpAction) -> type[Body]:
    """Give the model of an action's body."""
    return type("Body", (Body,), {"declared": action.schema_of(), "__doc__": Body.__doc__})
