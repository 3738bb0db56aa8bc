"""Telling people: what stands is looked at every few seconds, and told once to whom it concerns.

What is told is a job of the hub's own, written in the commit that notes that it was told: it
cannot be lost, and of several nodes one writes it. Nothing is asked of whoever runs into trouble:
a dead job is a row, however it died.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

from hub import alerts
from hub.alerting import PATIENCE, Rule, Told, Trouble, chosen, grown, job, what
from hub.alerts import Signal
from hub.breaker import Gates
from hub.clock import Clock
from hub.config import Config
from hub.duties import Duties
from hub.fitted import Fitted
from hub.reload import Reloads
from store import alerts as kept
from store import restored
from store.store import Store
from store.troubles import standing
from store.tx import Tx

EVERY = 10.0
LOG = "log"
LINGERS = timedelta(minutes=1)
"""What a node sees alone is over for all when it has not said so for this long."""
PASSING: dict[Signal, timedelta] = {
    "webhook.rejected": timedelta(minutes=30),
    "webhook.differs": timedelta(hours=2),
}
"""What is told as it happens, and after how long without it is over."""
HALTING: frozenset[Signal] = frozenset({"connector.held", "budget.spent"})
SOON = timedelta(days=14)
LONG_BUDGET = 3600.0
SAID_BY_ITSELF = frozenset({*PASSING, "webhook.silent", "config.rejected"})


class Teller:
    """Tells the people of one hub.

    Args:
        running: Gives what is in force.
        reloads: Knows of a newer configuration that is refused.
        gates: Every account's gate on this node.
    """

    def __init__(
        self,
        store: Store,
        running: Callable[[], Fitted],
        *,
        reloads: Reloads,
        gates: Gates,
        clock: Clock,
    ) -> None:
        self.store, self.running, self.clock = store, running, clock
        self.reloads, self.gates = reloads, gates
        self._passing: dict[tuple[Signal, str], Trouble] = {}
        self._halted: dict[str | None, datetime] = {}

    def begin(self, duties: Duties) -> Callable[[], None]:
        """Look every few seconds, and hear what is told as it happens; give what ends that."""
        duties.every(EVERY, self.once)
        return alerts.listen(self._heard)

    def _heard(self, signal: Signal, about: str, text: str, fix: str | None) -> None:
        if signal not in PASSING:
            return
        now = self.clock.now()
        before = self._passing.get((signal, about))
        self._passing[signal, about] = Trouble(
            signal=signal,
            about=about,
            since=before.since if before else now,
            first=before.first if before else text,
            next=fix or "",
            connector=about,
            until=now + PASSING[signal],
        )

    async def once(self) -> int:
        """Look at what stands, and tell what is new, more or over; give how often something was.

        In a restored store nobody is told before a person lets calls go out again.
        """
        if await self.store.look(restored.pending) is not None:
            return 0
        config = self.running().config
        late = min((w for w in map(_late, config.alerts.rules) if w), default=None)
        told = await self.store.look(kept.told)
        stands = await self.store.look(lambda tx: standing(tx, late=late))
        found = self._first_causes([*stands, *self._here(config)])
        if not found and not told:
            return 0
        count, said = await self.store.write(lambda tx: self._fold(tx, found, config))
        for trouble in said:
            text = f"{what(trouble)}; first: {trouble.first}" if trouble.first else what(trouble)
            alerts.say(trouble.signal, about=trouble.about, text=text, fix=trouble.next or None)
        return count

    def _first_causes(self, found: list[Trouble]) -> list[Trouble]:
        """Leave out that jobs are late where they had to wait: that is told, and they catch up."""
        now = self.clock.now()
        self._halted |= {one.connector: now for one in found if one.signal in HALTING}
        self._halted = {name: at for name, at in self._halted.items() if now - at < PATIENCE}
        return [o for o in found if o.signal != "queue.oldest" or o.connector not in self._halted]

    # -- what this node sees alone -----------------------------------------------------------------
    def _here(self, config: Config) -> Iterator[Trouble]:
        now = self.clock.now()
        self._passing = {k: t for k, t in self._passing.items() if t.until and t.until > now}
        yield from self._passing.values()
        until = now + LINGERS
        if (rejected := self.reloads.rejected) is not None:
            yield Trouble(
                signal="config.rejected",
                about="config",
                since=rejected.at,
                count=len(rejected.faults),
                next="hub check",
                until=until,
            )
        yield from (replace(one, until=until) for one in expiring(config, now))
        yield from (replace(one, until=until) for one in self._spent(now))

    def _spent(self, now: datetime) -> Iterator[Trouble]:
        """Give the accounts of which a budget of an hour or longer is used up."""
        at = now.timestamp()
        for account, gate in self.gates.items():
            long = [b for b in gate.budgets if b.limit.per >= LONG_BUDGET]
            if any(budget.left(at) <= 0 for budget in long):
                connector = account.partition("/")[0]
                yield Trouble(
                    signal="budget.spent",
                    about=account,
                    since=now,
                    first="its jobs wait until there is room again",
                    next=f"wait, or ask the provider for more and raise {connector}.budget",
                    connector=connector,
                )

    # -- telling -----------------------------------------------------------------------------------
    def _fold(self, tx: Tx, found: Iterable[Trouble], config: Config) -> tuple[int, list[Trouble]]:
        """Tell the difference between what stands and what was told."""
        told = {(one.signal, one.about, one.channel): one for one in kept.told(tx)}
        stands = _merged(found)
        count, said = 0, []
        for trouble in stands.values():
            if self._logs(tx, trouble, told.get((*_name(trouble), LOG))):
                said.append(trouble)
            for channel, rule in chosen(config.alerts.rules, trouble, tx.now).items():
                before = told.get((*_name(trouble), channel))
                count += self._stands(tx, trouble, rule, before)
        for one in told.values():
            if (one.signal, one.about) not in stands and (one.until is None or one.until <= tx.now):
                count += self._over(tx, one, config)
        return count, said

    def _logs(self, tx: Tx, trouble: Trouble, before: Told | None) -> bool:
        """Say whether a trouble is to be logged: once, by one node."""
        if trouble.signal in SAID_BY_ITSELF:
            return False
        if before is None:
            return kept.raise_it(tx, trouble, LOG)
        if _expires(before, tx.now):
            kept.note(tx, before, trouble, again=False)
        return False

    def _stands(self, tx: Tx, trouble: Trouble, rule: Rule, before: Told | None) -> bool:
        if before is None:
            if not kept.raise_it(tx, trouble, rule.channel.name):
                return False
            tx.enqueue(job(rule.channel, trouble, "raised", now=tx.now))
            return True
        again = grown(before, trouble, repeat=rule.repeat, now=tx.now)
        if not again and trouble.count == before.seen and not _expires(before, tx.now):
            return False
        if not kept.note(tx, before, trouble, again=again) or not again:
            return False
        tx.enqueue(job(rule.channel, trouble, "more", now=tx.now))
        return True

    def _over(self, tx: Tx, told: Told, config: Config) -> bool:
        if not kept.end(tx, told) or told.channel == LOG:
            return False
        channel = config.alerts.channels.get(told.channel)
        if channel is None:  # it is no longer there
            return False
        was = Trouble(signal=told.signal, about=told.about, since=told.since, count=told.most)
        tx.enqueue(job(channel, was, "over", now=tx.now))
        return True


def _merged(found: Iterable[Trouble]) -> dict[tuple[Signal, str], Trouble]:
    """Give each trouble once; what the store knows goes before what a node sees."""
    stands: dict[tuple[Signal, str], Trouble] = {}
    for trouble in found:
        stands.setdefault(_name(trouble), trouble)
    return stands


def _name(trouble: Trouble) -> tuple[Signal, str]:
    return trouble.signal, trouble.about


def _expires(told: Told, now: datetime) -> bool:
    return told.until is not None and told.until - now < LINGERS / 2


def _late(rule: Rule) -> timedelta | None:
    return rule.patience if "queue.oldest" in rule.signals else None


def expiring(config: Config, now: datetime) -> Iterator[Trouble]:
    """Give the connectors of which a webhook secret ends soon."""
    for name, made in config.connectors.items():
        ends = [one.until for one in made.secrets if one.until is not None]
        soon = [day for day in ends if timedelta() <= _days(day, now) <= SOON]
        if soon:
            yield Trouble(
                signal="secret.expiring",
                about=name,
                since=now,
                count=len(soon),
                first=f"until {min(soon).isoformat()}",
                next=f"hub webhooks: was a newer one of {name} seen? then remove the old one",
                connector=name,
            )


def _days(day: date, now: datetime) -> timedelta:
    return day - now.date()
