"""The routes pass: each made of what its words stand for, once its own rules hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.ceiling import CAPPED, Ceiling
from hub.config.caps import CeilingKeys, ceiling
from hub.config.events import Events, covers
from hub.config.instances import ConnectorConfig
from hub.config.parts import Parts
from hub.config.report import Report, suggest
from hub.config.settings import DAY, RetryKeys, RoutePart, Timeout, policy
from hub.config.words import Words
from hub.nodes import Path
from hub.plugin import ActionSpec
from hub.retry import Policy
from hub.routing import Route


@dataclass(frozen=True, slots=True)
class Wiring:
    """What routes are looked up in, and how they become callables."""

    parts: Parts
    made: Mapping[str, ConnectorConfig]
    events: Events
    words: Words
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
        spec = self.words.action(path, part.do)
        when = self.words.expression((*path, "when"), names, "bool")
        order_by = self.words.expression((*path, "order_by"), names, "text")
        key = self.words.expression((*path, "key"), names, "text")
        if spec is None:
            return None
        self._rules(part, spec, path)
        connector = part.do.partition(".")[0]
        mapping = self.words.mapping(path, part.do, part.map, spec, names)
        defaults = self.parts.defaults
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
            retry=retries(self.parts, connector, part.retry),
            own_age=part.retry.max_age is not None,
            ceiling=self._ceiling(part, spec, path),
            paused=part.paused,
            timeouts=self._timeouts(part, connector, path),
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

    def _timeouts(self, part: RoutePart, connector: str, path: Path) -> tuple[float, float] | None:
        """Give the seconds for one call; a job's lease must outlast it."""
        inherited = self.made.get(connector)
        if part.timeout == Timeout() or inherited is None:
            return None
        connect, total = part.timeout.connect, part.timeout.total
        found = total.total_seconds() if total else inherited.total
        if total and found >= (lease := self.parts.service.lease.total_seconds()):
            text = f"service.lease {lease:g}s must exceed the timeout of {part.name}, {found:g}s"
            self.report.at((*path, "timeout", "total"), "lease.short", text, "a longer lease")
        return (connect.total_seconds() if connect else inherited.connect), found


def retries(parts: Parts, connector: str, *own: RetryKeys) -> Policy:
    """Give the retry policy of a rule: its own keys, its connector's, the defaults."""
    inherited = parts.connectors.get(connector)
    return policy(parts.defaults.retry, *([inherited.retry] if inherited else []), *own)


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
