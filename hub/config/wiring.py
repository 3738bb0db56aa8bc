"""The routes pass: names looked up, rules checked, expressions and mappings compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.ceiling import CAPPED, Ceiling
from hub.config.caps import CeilingKeys, ceiling
from hub.config.events import Events, covers
from hub.config.instances import Class, ConnectorConfig
from hub.config.mapped import Gives, Mapped, Mappings
from hub.config.parts import Parts
from hub.config.references import unset
from hub.config.report import Report, dotted, suggest
from hub.config.settings import DAY, RoutePart, policy
from hub.nodes import Path, Scalar, Table, nearest
from hub.plugin import ActionSpec
from hub.routing import Expression, Route

ENVELOPE = frozenset({"id", "type", "schema", "occurred_at", "data"})


@dataclass(frozen=True, slots=True)
class Wiring:
    """What routes are looked up in, and how they become callables."""

    tree: Table
    parts: Parts
    found: Mapping[str, Class | None]
    made: Mapping[str, ConnectorConfig]
    events: Events
    mappings: Mappings
    report: Report

    def routes(self) -> tuple[Route, ...]:
        """Make the routes, in the file's order; those with faults are left out."""
        _twice(self.parts.routes, self.report)
        routes = [self.route(n, part) for n, part in self.parts.routes.items()]
        return tuple(route for route in routes if route is not None)

    def route(self, n: int, part: RoutePart) -> Route | None:
        """Check and compile one route."""
        path: Path = ("routes", n)
        names = self._names(part, path)
        spec = self._action(part, path)
        when = self._expression((*path, "when"), names, "bool")
        order_by = self._expression((*path, "order_by"), names, "text")
        key = self._expression((*path, "key"), names, "text")
        if spec is None:
            return None
        self._rules(part, spec, path)
        connector = part.do.partition(".")[0]
        mapping = self._mapping(part, spec, path, names)
        defaults = self.parts.defaults
        inherited = self.parts.connectors.get(connector)
        layers = [defaults.retry, *([inherited.retry] if inherited else []), part.retry]
        return Route(
            name=part.name,
            on=part.on,
            connector=connector,
            action=spec,
            map=mapping,
            mapping_hash=mapping.hash if mapping else None,
            when=when,
            order_by=order_by,
            key=key,
            origins=frozenset(part.origins),
            fresh_for=part.fresh_for,
            blocks=(part.on_dead or defaults.on_dead) == "block",
            resend=self._resend(part, spec),
            retry=policy(*layers),
            own_age=part.retry.max_age is not None,
            ceiling=self._ceiling(part, spec, path),
        )

    # -- names -------------------------------------------------------------------------------------
    def _names(self, part: RoutePart, path: Path) -> list[str]:
        """Give the names of the data that a route's events carry; several only if untyped."""
        found: dict[str, str] = {}
        for n, name in enumerate(part.on):
            matching = self.events.matching(name)
            if not matching and name.partition(".")[0] not in self.events.unknown:
                fix = suggest(name, self.events.near(name))
                self.report.at((*path, "on", n), "route.event", f"'{name}' is not an event", fix)
            self._arrives(name, matching, (*path, "on", n))
            for event in matching:
                found.setdefault(self.events.data.get(event, event), event)
        if len(found) > 1 and any(self.events.schema(name) for name in found):
            one, other = list(found.values())[:2]
            text = f"{one} and {other} carry different data"
            self.report.at((*path, "on"), "route.schemas", text, "one route each")
            return []
        return list(found)

    def _arrives(self, name: str, matching: list[str], where: Path) -> None:
        """Warn of events that their connector does not take."""
        source = name.partition(".")[0]
        config = self.made.get(source)
        if config is None or not matching or not config.events:
            return
        if not any(covers(name, f"{source}.{wanted}") for wanted in config.events):
            text = (
                f"'{name}' is not among connectors.{source}.webhooks.events: it is kept, not routed"
            )
            self.report.at(where, "webhook.event", text, "add it there", warning=True)

    def _action(self, part: RoutePart, path: Path) -> ActionSpec | None:
        connector, _, action = part.do.partition(".")
        where = (*path, "do")
        if connector not in self.found:
            fix = suggest(connector, self.found)
            self.report.at(where, "route.action", f"there is no connector '{connector}'", fix)
            return None
        cls = self.found[connector]
        if cls is None:
            return None
        actions = cls.actions()
        if action in actions:
            return actions[action]
        text = f"{connector} has no action '{action}'; it has: {', '.join(sorted(actions))}"
        fix = suggest(action, actions)
        self.report.at(where, "route.action", text, fix if fix.startswith("did") else "")
        return None

    # -- rules -------------------------------------------------------------------------------------
    def _rules(self, part: RoutePart, spec: ActionSpec, path: Path) -> None:
        unsafe = spec.effect.kind == "unsafe"
        if part.on_uncertain is not None and not unsafe:
            text = f"on_uncertain is for unsafe actions; {part.do} is {spec.effect}"
            self.report.at((*path, "on_uncertain"), "route.resend", text, "remove it", key=True)
        if self._resend(part, spec) and spec.kind == "money":
            text = f"{part.do} moves money: it is never sent again unasked"
            self.report.at((*path, "on_uncertain"), "route.resend", text, "on_uncertain: park")
        if unsafe and part.on_uncertain is None:
            text = f"{part.do} cannot detect duplicates; an unknown outcome waits for a person"
            fix = "on_uncertain: park or resend"
            self.report.at((*path, "do"), "route.uncertain", text, fix, warning=True)
        if spec.kind == "message":
            self._message(part, path)

    def _message(self, part: RoutePart, path: Path) -> None:
        """An import or an old back-fill mails nobody."""
        if "import" in part.origins:
            text = f"{part.do} sends messages: it takes no imported events"
            self.report.at((*path, "origins"), "route.origins", text, "remove import")
        if part.fresh_for > DAY:
            text = (
                f"{part.do} sends messages: fresh_for may be at most {DAY // timedelta(hours=1)}h"
            )
            self.report.at((*path, "fresh_for"), "route.origins", text, "24h")

    def _resend(self, part: RoutePart, spec: ActionSpec) -> bool:
        wanted = part.on_uncertain or self.parts.defaults.on_uncertain
        return wanted == "resend" and spec.effect.kind == "unsafe"

    def _ceiling(self, part: RoutePart, spec: ActionSpec, path: Path) -> Ceiling | None:
        if spec.kind in CAPPED:
            return ceiling(spec, self.parts.defaults.ceiling, part.ceiling)
        if part.ceiling != CeilingKeys():
            text = f"a ceiling is for messages and money; {part.do} is neither"
            self.report.at((*path, "ceiling"), "route.ceiling", text, "remove it", key=True)
        return None

    # -- expressions and mappings ------------------------------------------------------------------
    def _expression(self, path: Path, names: list[str], gives: Gives) -> Expression | None:
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

    def _mapping(
        self, part: RoutePart, spec: ActionSpec, path: Path, names: list[str]
    ) -> Mapped | None:
        if part.map is None:
            if not spec.model.model_fields.keys() >= ENVELOPE:
                text = f"routes[{path[-1]}] needs 'map': {part.do} does not take an event as it is"
                self.report.at(path, "key.missing", text, "map: the-mapping")
            return None
        where = (*path, "map")
        if part.map not in self.mappings.names():
            fix = suggest(part.map, self.mappings.names())
            self.report.at(where, "route.mapping", f"there is no mapping '{part.map}'", fix)
            return None
        mapping = self.mappings.find(part.map)
        if mapping is None:
            return None
        cls = self.found[part.do.partition(".")[0]]
        target = f"{cls.maps_as or cls.type}.{spec.name}" if cls else mapping.to
        if mapping.to != target:
            text = f"mapping '{part.map}' makes {mapping.to}, this route does {target}"
            self.report.at(where, "route.mapping", text)
        if names and not any(covers(name, mapping.from_schema) for name in names):
            text = f"mapping '{part.map}' reads {mapping.from_schema}, this route has {names[0]}"
            self.report.at(where, "route.mapping", text)
        return mapping


def _twice(routes: Mapping[int, RoutePart], report: Report) -> None:
    """Refuse a name used twice; warn of routes that send the same thing twice."""
    seen: set[str] = set()
    sent: dict[Any, str] = {}
    for n, part in routes.items():
        if part.name in seen:
            text = f"there is a route '{part.name}' already"
            report.at(("routes", n, "name"), "route.name", text, "rename one")
        seen.add(part.name)
        for name in part.on:
            what = (name, part.do, part.map, part.when)
            if (other := sent.setdefault(what, part.name)) != part.name:
                text = f"'{other}' and '{part.name}' send the same thing on {name}"
                fix = "remove one, or set when:"
                report.at(("routes", n, "name"), "route.twice", text, fix, warning=True)
