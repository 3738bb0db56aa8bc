"""The alerts pass: signals and channels looked up; no connector is reported through itself."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from hub.alerting import FIELDS, LASTING, SIGNALS, Alerting, Channel, Heartbeat, Rule, Trouble
from hub.alerting import message as written
from hub.alerts import Signal
from hub.config.alerts import AlertsPart, ChannelPart, RulePart
from hub.config.instances import Class
from hub.config.report import Report, suggest
from hub.nodes import Path
from hub.plugin import ActionSpec

ALERT, LOG = "alert", "log"
ADDRESS = re.compile(r"https?://[^\s/]+(/[^\s?#]*)?")
_ANY = Trouble(signal="job.dead", about="crm", since=datetime(2026, 1, 1, tzinfo=UTC), count=3)


@dataclass(frozen=True, slots=True)
class Alerted:
    """What alerts are looked up in."""

    part: AlertsPart
    found: Mapping[str, Class | None]
    routes: frozenset[str]
    report: Report

    def all(self) -> Alerting:
        """Make what is right; what is wrong is told."""
        channels = {name: self._channel(name, one) for name, one in self.part.channels.items()}
        made = {name: one for name, one in channels.items() if one is not None}
        rules = [self._rule(n, one, made) for n, one in enumerate(self.part.rules)]
        whole = tuple(rule for rule in rules if rule is not None)
        self._covered(whole)
        return Alerting(rules=whole, channels=made, heartbeat=self._heartbeat())

    # -- channels ----------------------------------------------------------------------------------
    def _channel(self, name: str, part: ChannelPart) -> Channel | None:
        path: Path = ("alerts", "channels", name)
        if name == LOG:
            text = "every alert is in the log as it is; 'log' is no channel"
            self.report.at(path, "alert.channel", text, "another name", key=True)
            return None
        spec = self._action((*path, "via"), part.via)
        if spec is None:
            return None
        connector = part.via.partition(".")[0]
        taken = _taken(spec)
        self._fits((*path, "via"), f"{connector}.{spec.name}", spec, taken, part)
        return Channel(
            name=name,
            connector=connector,
            action=spec.name,
            effect=spec.effect,
            fields=taken,
            to=part.to,
        )

    def _action(self, path: Path, via: str) -> ActionSpec | None:
        """Find the action that carries alerts: the one that is named, or the only one there is."""
        connector, _, action = via.partition(".")
        if connector not in self.found:
            fix = suggest(connector, self.found)
            self.report.at(path, "alert.channel", f"there is no connector '{connector}'", fix)
            return None
        cls = self.found[connector]
        if cls is None:
            return None
        able = {name: spec for name, spec in cls.actions().items() if spec.kind == ALERT}
        if action in able:
            return able[action]
        if not action and len(able) == 1:
            return next(iter(able.values()))
        if action:
            text = f"{via} is no action of kind alert"
            self.report.at(path, "alert.channel", text, suggest(action, able))
        elif able:
            text = f"{connector} has several actions of kind alert"
            fix = f"via: {connector}.{min(able)}"
            self.report.at(path, "alert.channel", text, fix)
        else:
            fix = "an http connector whose action says kind: alert, or sendgrid"
            self.report.at(path, "alert.channel", f"{connector} has no action of kind alert", fix)
        return None

    def _fits(
        self, path: Path, name: str, spec: ActionSpec, taken: frozenset[str], part: ChannelPart
    ) -> None:
        """Refuse an action that wants what no alert has."""
        said = {**written(_ANY, "raised"), "to": list(part.to)}
        try:
            spec.model.model_validate({key: said[key] for key in taken})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(one) for one in first["loc"]) or "its input"
            text = f"{name} does not take an alert: {where}: {first['msg']}"
            fix = f"an alert has {', '.join(FIELDS)}"
            self.report.at(path, "alert.channel", text, fix)

    # -- rules -------------------------------------------------------------------------------------
    def _rule(self, n: int, part: RulePart, channels: Mapping[str, Channel]) -> Rule | None:
        path: Path = ("alerts", "rules", n)
        signals = frozenset(self._signals(part, path))
        self._names(part, path)
        if part.to not in self.part.channels:
            fix = suggest(part.to, self.part.channels)
            text = f"there is no channel '{part.to}'"
            self.report.at((*path, "to"), "alert.channel", text, fix)
        channel = channels.get(part.to)
        if channel is None or len(signals) < len(set(part.when)):
            return None
        if part.connector == channel.connector:
            text = f"{part.connector} would be reported through itself"
            fix = f"a channel by another connector than {part.connector}"
            self.report.at((*path, "connector"), "alert.itself", text, fix)
            return None
        return Rule(
            signals=signals,
            channel=channel,
            connector=part.connector,
            route=part.route,
            over=part.over,
            repeat=part.repeat,
        )

    def _signals(self, part: RulePart, path: Path) -> Iterator[Signal]:
        for n, word in enumerate(part.when):
            signal = next((one for one in SIGNALS if one == word), None)
            if signal is None:
                text = f"'{word}' is no signal"
                self.report.at((*path, "when", n), "alert.signal", text, suggest(word, SIGNALS))
                continue
            yield signal
            if part.over is not None and signal not in LASTING:
                text = f"over is for what lasts; {signal} just happens"
                fix = f"it is for {', '.join(sorted(LASTING))}"
                self.report.at((*path, "over"), "alert.signal", text, fix, key=True)

    def _names(self, part: RulePart, path: Path) -> None:
        known = {"connector": (part.connector, self.found), "route": (part.route, self.routes)}
        for word, (name, names) in known.items():
            if name is not None and name not in names:
                text = f"there is no {word} '{name}'"
                self.report.at((*path, word), "alert.signal", text, suggest(name, names))

    def _covered(self, rules: tuple[Rule, ...]) -> None:
        """Warn of a channel whose own connector's trouble reaches nobody."""
        for n, rule in enumerate(rules):
            own = rule.channel.connector
            others = [one for one in rules if one.channel.connector != own]
            said = {s for one in others if one.connector in (None, own) for s in one.signals}
            if rule.connector is None and "connector.held" in rule.signals - said:
                text = f"nobody is told when {own} itself is held: it carries these alerts"
                fix = "a second rule, to a channel by another connector; or a heartbeat"
                where = ("alerts", "rules", n)
                self.report.at(where, "alert.itself", text, fix, warning=True)

    def _heartbeat(self) -> Heartbeat | None:
        beat = self.part.heartbeat
        if beat is None:
            return None
        url, where = beat.url.text(), ("alerts", "heartbeat", "url")
        if url and not ADDRESS.fullmatch(url):
            self.report.at(where, "value.type", "alerts.heartbeat.url wants an https URL")
        if url.lower().startswith("http:") and not beat.allow_private:
            text = "http:// is allowed only to networks of heartbeat.allow_private"
            self.report.at(where, "url.plain", text, "https://…")
        return Heartbeat(url=beat.url, every=beat.every, allow_private=beat.allow_private)


def _taken(spec: ActionSpec) -> frozenset[str]:
    """Name the fields of an alert that an action takes: all where it does not say."""
    schema: Any = spec.model.model_json_schema()
    named = schema.get("properties") or dict.fromkeys(FIELDS)
    return frozenset(FIELDS) & named.keys()
