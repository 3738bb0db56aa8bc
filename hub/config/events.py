"""Every event that a route may name, every source of a sync, and what is known of their data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hub.config.instances import Class
from hub.config.vocabulary import Vocabulary, json_schema
from hub.model import Event
from hub.routing import scope
from mappings.schemas import Schema, marked

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The shop's events, its own types, and what the configured connectors emit.

    Args:
        data: Event type to the name of its data, as a mapping's `from:` says it: a data schema
            for the shop's events, the type itself for all others.
        schema: The JSON Schema behind such a name; None where nobody declared one.
        unknown: Connectors whose class was not found: any event of theirs may exist.
        free: Connectors that emit what their settings make of a request: nobody lists it.
    """

    data: Mapping[str, str] = field(default_factory=dict)
    schema: Callable[[str], JsonSchema | None] = lambda _: None
    unknown: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()

    def matching(self, name: str) -> list[str]:
        """Give the events that a name, or a name ending in `.*`, stands for.

        Of a connector whose events nobody lists that is the name itself.
        """
        first, _, rest = name.partition(".")
        if first in self.free and rest:
            return [name]
        if name.endswith(".*"):
            return [known for known in self.data if known.startswith(name[:-1])]
        return [name] if name in self.data else []

    def personal(self) -> Callable[[Event], list[str]]:
        """Give what finds the texts of an event that its schema marks as personal."""
        known = cache(lambda name: Schema.of(self.schema(self.data.get(name, name))))

        def texts(event: Event) -> list[str]:
            *_, held = scope(event).values()
            return list(marked(held, known(event.type)))

        return texts

    def near(self, name: str) -> list[str]:
        """Give the events that share a name's first word, or all."""
        first = name.partition(".")[0] + "."
        return [event for event in self.data if event.startswith(first)] or list(self.data)


def gather(
    shop: Vocabulary, own: Mapping[str, JsonSchema], found: Mapping[str, Class | None]
) -> Events:
    """Gather all events and sources of a configuration."""
    emitted = {
        f"{name}.{word}": model
        for name, cls in found.items()
        for word, model in (cls.emits.items() if cls else ())
    }

    offered = {
        f"{name}.{word}": spec.model
        for name, cls in found.items()
        for word, spec in (cls.sources().items() if cls else ())
    }

    def schema(name: str) -> JsonSchema | None:
        model = emitted.get(name) or offered.get(name)
        return shop.schema(name) or own.get(name) or (json_schema(model) if model else None)

    data = dict(shop.events) | {name: name for name in (*own, *emitted)}
    unknown = frozenset(name for name, cls in found.items() if cls is None)
    free = frozenset(name for name, cls in found.items() if cls is not None and cls.any_events)
    return Events(data=data, schema=schema, unknown=unknown, free=free)


def covers(name: str, event: str) -> bool:
    """Say whether an event is the one of this name, or one of those a name ending in `.*` means.

    >>> covers("forms.*", "forms.sent"), covers("forms.sent", "forms.read")
    (True, False)
    """
    return event == name or (name.endswith(".*") and event.startswith(name[:-1]))
