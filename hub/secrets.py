"""Secrets that never print, and the references that name them."""

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Secret:
    """A value that prints as `‹secret:NAME›` everywhere; `reveal()` is the only way to it."""

    __slots__ = ("_value", "name")

    def __init__(self, value: str | bytes, name: str = "?") -> None:
        self._value = value.encode() if isinstance(value, str) else value
        self.name = name

    def reveal(self) -> bytes:
        """Give the value; its caller must not log, store or raise it."""
        return self._value

    def text(self) -> str:
        """Give the value as text, for headers."""
        return self._value.decode()

    def __repr__(self) -> str:
        return f"‹secret:{self.name}›"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a Secret made by the configuration loader, nothing else."""
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(repr)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Show editors a reference."""
        return {"type": "string", "description": "a reference: ${env:NAME} or ${file:/path}"}
