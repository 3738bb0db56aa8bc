"""The words of routes and syncs looked up: actions, mappings; their expressions compiled."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.config.events import covers
from hub.config.instances import Class
from hub.config.mapped import Gives, Mapped, Mappings
from hub.config.references import unset
from hub.config.report import Report, dotted, suggest
from hub.nodes import Path, Scalar, Table, nearest
from hub.plugin import ActionSpec
from hub.routing import Expression

ENVELOPE = frozenset({"id", "type", "schema", "occurred_at", "data"})
NO_ACTION = {"routes": "route.action", "syncs": "sync.action"}
NO_MAPPING = {"routes": "route.mapping", "syncs": "sync.mapping"}


@dataclass(frozen=True, slots=True)
class Words:
    """What words are looked up in; every path begins with `routes` or `syncs` and an index."""

    tree: Table
    found: Mapping[str, Class | None]
    mappings: Mappings
    report: Report

    def action(self, path: Path, do: str) -> ActionSpec | None:
        """Find the action that a rule does."""
        connector, _, action = do.partition(".")
        where, code = (*path, "do"), NO_ACTION[str(path[0])]
        if connector not in self.found:
            fix = suggest(connector, self.found)
            self.report.at(where, code, f"there is no connector '{connector}'", fix)
            return None
        cls = self.found[connector]
        if cls is None:
            return None
        actions = cls.actions()
        if action in actions:
            return actions[action]
        text = f"{connector} has no action '{action}'; it has: {', '.join(sorted(actions))}"
        fix = suggest(action, actions)
        self.report.at(where, code, text, fix if fix.startswith("did") else "")
        return None

    def expression(self, path: Path, names: list[str], gives: Gives) -> Expression | None:
        """Compile the expression at a path, over the data of these names."""
        spot, found = nearest(self.tree, path)
        if found != path or not isinstance(spot.node, Scalar) or spot.node.value is None:
            return None
        if spot.node.value != spot.node.text:
            if not unset(spot.node.value):
                text = f"{dotted(path)} takes no references"
                self.report.at(path, "ref.place", text, "put it in the connector's settings")
            return None
        if "{{" not in spot.node.text:
            text = f"{dotted(path)} wants an expression"
            self.report.at(path, "value.type", text, f'"{{{{ {spot.node.text} }}}}"')
            return None
        if not names:
            return None  # the events are not known, so neither is what may be named
        return self.mappings.expression(spot.node, names[0], gives)

    def mapping(
        self, path: Path, do: str, name: str | None, spec: ActionSpec, names: list[str]
    ) -> Mapped | None:
        """Find a mapping to this action and from data of these names."""
        if name is None:
            if not spec.model.model_fields.keys() >= ENVELOPE:
                text = f"{dotted(path)} needs 'map': {do} does not take an event as it is"
                self.report.at(path, "key.missing", text, "map: the-mapping")
            return None
        where, code = (*path, "map"), NO_MAPPING[str(path[0])]
        rule = str(path[0]).removesuffix("s")
        if name not in self.mappings.names():
            fix = suggest(name, self.mappings.names())
            self.report.at(where, code, f"there is no mapping '{name}'", fix)
            return None
        mapping = self.mappings.find(name)
        if mapping is None:
            return None
        cls = self.found[do.partition(".")[0]]
        target = f"{cls.maps_as or cls.type}.{spec.name}" if cls else mapping.to
        if mapping.to != target:
            text = f"mapping '{name}' makes {mapping.to}, this {rule} does {target}"
            self.report.at(where, code, text)
        if names and not any(covers(name, mapping.from_schema) for name in names):
            text = f"mapping '{name}' reads {mapping.from_schema}, this {rule} has {names[0]}"
            self.report.at(where, code, text)
        return mapping
