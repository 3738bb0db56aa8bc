"""The syncs pass: sources looked up, schedules read, rules made as those of routes are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.config.instances import Class
from hub.config.parts import Parts
from hub.config.report import Report, suggest
from hub.config.settings import SyncPart
from hub.config.vocabulary import Vocabulary
from hub.config.wiring import retries
from hub.config.words import Words
from hub.nodes import Path
from hub.plugin import ActionSpec
from hub.routing import Route
from hub.schedules import ON_DEMAND, NoSchedule, Schedule
from hub.sources import EVENTS
from hub.syncs import Sync

SHOP = "shop"
NO_SYNC = {
    "message": "sends messages: a sync mails nobody",
    "money": "moves money: no sync does",
    "alert": "alerts people: a sync tells nobody",
    "read": "changes nothing",
}


@dataclass(frozen=True, slots=True)
class Syncs:
    """What syncs are looked up in."""

    parts: Parts
    found: Mapping[str, Class | None]
    shop: Vocabulary
    words: Words
    report: Report

    def all(self) -> tuple[Sync, ...]:
        """Make the syncs, in the file's order; those with faults are left out."""
        self._named_once()
        made = (self.sync(n, part) for n, part in self.parts.syncs.items())
        return tuple(sync for sync in made if sync is not None)

    def sync(self, n: int, part: SyncPart) -> Sync | None:
        """Check and compile one sync."""
        path: Path = ("syncs", n)
        names = list(self._data(part, path))
        schedule = self._schedule(part, path)
        spec = self.words.action(path, part.do)
        rule = self._rule(part, path, spec, names)
        if schedule is None or rule is None or not names:
            return None
        connector, _, source = part.source.partition(".")
        return Sync(
            rule=rule,
            connector=connector,
            source=source,
            schedule=schedule,
            schema=names[0] if connector == SHOP else None,
            full=part.mode == "full",
        )

    def _rule(
        self, part: SyncPart, path: Path, spec: ActionSpec | None, names: list[str]
    ) -> Route | None:
        when = self.words.expression((*path, "when"), names, "bool")
        order_by = self.words.expression((*path, "order_by"), names, "text")
        if spec is None:
            return None
        if spec.kind in NO_SYNC:
            text = f"{part.do} {NO_SYNC[spec.kind]}"
            self.report.at((*path, "do"), "sync.action", text, "a route on the shop's events")
        mapping = self.words.mapping(path, part.do, part.map, spec, names)
        connector = part.do.partition(".")[0]
        return Route(
            name=part.name,
            on=_told(part.source),
            connector=connector,
            action=spec,
            map=mapping,
            mapping_hash=mapping.hash if mapping else None,
            when=when,
            order_by=order_by,
            origins=frozenset(),
            blocks=self.parts.defaults.on_dead == "block",
            retry=retries(self.parts, connector),
        )

    # -- names -------------------------------------------------------------------------------------
    def _data(self, part: SyncPart, path: Path) -> Iterator[str]:
        """Give the name of the data that the source holds, as a mapping's `from:` says it."""
        connector, _, source = part.source.partition(".")
        if connector == SHOP and source in self.shop.sources:
            yield self.shop.sources[source]
        elif part.source in self._sources():
            yield part.source
        elif connector in self.found and self.found[connector] is None:
            return  # its type is not known, which is told
        elif connector in self.found and source == EVENTS:
            text = f"'{part.source}' feeds the inbox, not a sync"
            fix = f"connectors.{connector}.reconcile, and routes on its events"
            self.report.at((*path, "from"), "sync.source", text, fix)
        else:
            text = f"'{part.source}' is no source that a sync can read"
            fix = suggest(part.source, self._sources())
            self.report.at((*path, "from"), "sync.source", text, fix)

    def _sources(self) -> list[str]:
        """Name every source that there is."""
        theirs = [
            f"{name}.{source}"
            for name, cls in self.found.items()
            if cls is not None
            for source in cls.sources().keys() - {EVENTS}
        ]
        return [*(f"{SHOP}.{name}" for name in self.shop.sources), *theirs]

    def _named_once(self) -> None:
        """Refuse a name used twice; jobs say it where they would say their route's."""
        seen = dict.fromkeys((part.name for part in self.parts.routes.values()), "route")
        for n, part in self.parts.syncs.items():
            if (other := seen.get(part.name)) is not None:
                text = f"there is a {other} '{part.name}' already"
                self.report.at(("syncs", n, "name"), "sync.name", text, "rename one")
            seen.setdefault(part.name, "sync")

    # -- time --------------------------------------------------------------------------------------
    def _schedule(self, part: SyncPart, path: Path) -> Schedule | None:
        if (part.every is None) is (part.schedule is None):
            both = part.every is not None
            text = f"{part.name} needs either schedule or every" + (", not both" if both else "")
            where = (*path, "every") if both else path
            fix = "remove one" if both else 'schedule: "0 3 * * *"'
            self.report.at(where, "sync.schedule", text, fix, key=both)
            return None
        cron = None if part.schedule == ON_DEMAND else part.schedule
        if part.timezone is not None and cron is None:
            text = "timezone is for a cron schedule"
            self.report.at((*path, "timezone"), "sync.schedule", text, "remove it", key=True)
        try:
            return Schedule(every=part.every, cron=cron, zone=part.timezone or "UTC")
        except NoSchedule as error:
            text = f"'{cron}' is not a schedule: {error}"
            fix = f'five fields, as "0 3 * * *" for each day at three, or {ON_DEMAND}'
            self.report.at((*path, "schedule"), "sync.schedule", text, fix)
            return None


def _told(source: str) -> tuple[str, ...]:
    """Name the events of a source's records, from which a job dead at birth is mapped again."""
    connector, _, name = source.partition(".")
    return (f"{SHOP}.{name.removesuffix('s')}.*",) if connector == SHOP else ()
