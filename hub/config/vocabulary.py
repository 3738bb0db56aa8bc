"""What a configuration may name that it does not declare itself: the built-in shop's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The shop's events, snapshots and sources, told by hub.shop to whoever loads a configuration.

    Args:
        events: Event type to the name of its data schema (`shop.order@1`).
        models: Schema name to the model of its snapshot.
        sources: What a sync may read, to the name of its data schema.
    """

    events: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def schema(self, name: str) -> dict[str, Any] | None:
        """Give the JSON Schema behind a schema's name; None where it is not the shop's."""
        model = self.models.get(name)
        return json_schema(model) if model else None


@cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give a model's JSON Schema, written once; nobody may change it."""
    return model.model_json_schema()
