"""Expressions of the admin's in a connector's settings: they arrive compiled, to be called."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from hub.model import Json


class Expr:
    """A setting that is an expression; a subclass names what it may read.

    Args:
        run: The compiled function; raises MappingError where the data cannot be used.
        text: As the admin wrote it.
    """

    __slots__ = ("_run", "text")
    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, run: Callable[[Mapping[str, Json]], Json], text: str) -> None:
        self._run, self.text = run, text

    def __call__(self, scope: Mapping[str, Json]) -> Json:
        """Compute the value."""
        return self._run(scope)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept what the configuration loader compiled, nothing else."""
        write: Callable[[Self], str] = lambda value: value.text  # noqa: E731 -- pydantic wants one
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(write)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Show editors what it may name."""
        names = ", ".join(cls.names)
        return {"type": "string", "description": f"an expression over {names}: {{{{ … }}}}"}
