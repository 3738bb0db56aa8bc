"""The shape of `forms:` in config.yaml: public forms, each an event `form.<name>`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hub.config.part import Part
from hub.config.units import Count, Name
from hub.personal import PERSONAL

MOST_TEXT = 2000


class FormField(Part):
    """One field of a form; `max` is the longest text."""

    type: Literal["text", "email", "phone", "bool"] = "text"
    required: bool = False
    max: Annotated[Count, Field(le=100_000)] = MOST_TEXT


class Form(Part):
    """A public form; what fills its `honeypot`, which people do not see, is no person."""

    fields: Annotated[dict[Name, FormField], Field(min_length=1)]
    honeypot: Name | None = None

    def schema_of(self) -> dict[str, Any]:
        """Give the JSON Schema of what the form tells."""
        return {
            "type": "object",
            "properties": {name: _schema(field) for name, field in self.fields.items()},
            "required": [name for name, field in self.fields.items() if field.required],
            "additionalProperties": False,
        }


def _schema(field: FormField) -> dict[str, Any]:
    if field.type == "bool":
        return {"type": "boolean"}
    made = {"type": "string", "maxLength": field.max} | ({"minLength": 1} if field.required else {})
    return made | PERSONAL if field.type in ("email", "phone") else made
