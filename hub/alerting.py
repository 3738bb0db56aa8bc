"""Who is told of which trouble, when, and in what words; pure.

A trouble stands from when it is first seen until it is over, and is one to a channel, however
often what makes it up happens.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, get_args

from hub.alerts import Signal
from hub.effects import Effect
from hub.model import Json, NewJob, rfc3339
from hub.routing import direct_job
from hub.secrets import Secret

SIGNALS: tuple[Signal, ...] = get_args(Signal)
LASTING: frozenset[Signal] = frozenset(
    {"connector.held", "route.held", "queue.oldest", "webhook.silent", "lane.blocked"}
)
"""Of these it is known since when they last, so that a rule can wait."""
EACH: frozenset[Signal] = frozenset({"case.opened", "job.uncertain"})
"""Each of these wants a person: more of them are told though the first are not settled."""
GROWING: frozenset[Signal] = EACH | {"job.dead"}
KEY = "alert:"
"""What the keys of the jobs begin with that carry alerts; of them themselves nobody is told."""
RUNBOOKS = "docs/runbooks.md"
REPEAT = timedelta(minutes=15)
PATIENCE = timedelta(minutes=15)
WHAT: Mapping[Signal, str] = {
    "connector.held": "jobs that wait for {about}: {count}",
    "route.held": "jobs of {about} that are held: {count}",
    "job.dead": "dead jobs of {about}: {count}",
    "job.uncertain": "jobs of {about} of which nobody knows: {count}",
    "case.opened": "open cases of {about}: {count}",
    "queue.oldest": "jobs of {about} that are late: {count}",
    "webhook.silent": "no webhook of {about} comes",
    "webhook.rejected": "webhooks of {about} are refused",
    "webhook.differs": "the webhook endpoints at {about} are not as they must be",
    "config.rejected": "a changed configuration is refused; faults: {count}",
    "budget.spent": "nothing is left of a budget of {about}",
    "secret.expiring": "webhook secrets of {about} that end soon: {count}",
    "lane.blocked": "lanes of {about} that stand still: {count}",
}
FIELDS = (
    "signal", "state", "about", "count", "since", "subject", "text", "first", "next", "runbook",
    "to",
)  # fmt: skip
State = Literal["raised", "more", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to people: an action of kind `alert`.

    Args:
        fields: Which of an alert's fields the action takes.
    """

    name: str
    connector: str
    action: str
    effect: Effect
    fields: frozenset[str] = frozenset(FIELDS)
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whom to tell of which signals.

    Args:
        connector: Only what is about this one.
        route: Only what is about this one.
        over: Only what has stood for so long.
        repeat: So long it must have been quiet before more of the same is told again.
    """

    signals: frozenset[Signal]
    channel: Channel
    connector: str | None = None
    route: str | None = None
    over: timedelta | None = None
    repeat: timedelta = REPEAT

    @property
    def patience(self) -> timedelta:
        """Give after how long a due job is late."""
        return self.over or PATIENCE

    def takes(self, trouble: "Trouble", now: datetime) -> bool:
        """Say whether a trouble is this rule's; never one of its own channel's connector."""
        named = (self.connector, trouble.connector), (self.route, trouble.route)
        over = self.patience if trouble.signal == "queue.oldest" else self.over or timedelta()
        return (
            trouble.signal in self.signals
            and trouble.connector != self.channel.connector
            and all(wanted in (None, found) for wanted, found in named)
            and now - trouble.since >= over
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that stands.

    Args:
        about: What it is told by: connector, route, kind of case.
        count: How many things make it up; 1 where it is one thing.
        first: The first of them, as an example; no secret, nobody's data.
        next: The command or step that comes next.
        until: Seen by one node alone, and over from then on unless it is seen again.
    """

    signal: Signal
    about: str
    since: datetime
    count: int = 1
    first: str = ""
    next: str = ""
    connector: str | None = None
    route: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel has been told of a trouble.

    Args:
        told: The count it was told last.
        seen: The count when somebody last looked.
        most: The highest count ever seen.
        grown_at: When the count last rose.
    """

    signal: Signal
    about: str
    channel: str
    since: datetime
    told_at: datetime
    told: int
    seen: int
    most: int
    grown_at: datetime
    until: datetime | None = None


def grown(told: Told, trouble: Trouble, *, repeat: timedelta, now: datetime) -> bool:
    """Say whether what has come since is to be told again.

    A flood is one: more dead jobs are told only after a quiet. Cases are told of while they come.
    """
    if trouble.signal in EACH:
        return trouble.count > told.told and now - told.told_at >= repeat
    if trouble.signal in GROWING:
        return trouble.count > told.seen and now - told.grown_at >= repeat
    return False


def what(trouble: Trouble) -> str:
    """Say in a line what stands."""
    return WHAT[trouble.signal].format(about=trouble.about, count=trouble.count)


def message(trouble: Trouble, state: State) -> dict[str, Json]:
    """Write what a channel is told; `count` of what is over is the most there were.

    >>> from datetime import UTC, datetime
    >>> t = Trouble(signal="job.dead", about="crm", since=datetime(2026, 1, 1, tzinfo=UTC),
    ...             count=3)
    >>> message(t, "over")["text"].splitlines()[:2]
    ['job.dead: crm is over', 'dead jobs of crm: 3']
    """
    raised = state != "over"
    lines = [what(trouble), f"since: {rfc3339(trouble.since)}"]
    runbook = f"{RUNBOOKS}#{trouble.signal.replace('.', '')}"
    if raised:
        lines += [f"first: {trouble.first}"] if trouble.first else []
        lines += [f"next: {trouble.next}"] if trouble.next else []
        lines += [f"runbook: {runbook}"]
    subject = f"{trouble.signal}: {trouble.about}" + ("" if raised else " is over")
    return {
        "signal": trouble.signal,
        "state": state,
        "about": trouble.about,
        "count": trouble.count,
        "since": rfc3339(trouble.since),
        "subject": subject,
        "text": "\n".join([subject, *lines]),
        "first": trouble.first,
        "next": trouble.next if raised else "",
        "runbook": runbook,
    }


def job(channel: Channel, trouble: Trouble, state: State, *, now: datetime) -> NewJob:
    """Write the durable job that tells a channel; one key for each thing it is told."""
    said = message(trouble, state) | {"to": list(channel.to)}
    # A send of which nobody knows keeps its lane: what is over must be told all the same.
    lane = None if channel.effect.kind == "unsafe" else f"{trouble.signal}:{trouble.about}"
    return direct_job(
        channel.connector,
        channel.action,
        {name: value for name, value in said.items() if name in channel.fields},
        key=f"{KEY}{channel.name}:{trouble.signal}:{trouble.about}:{state}:{rfc3339(now)}",
        now=now,
        effect=channel.effect,
        lane=lane,
    )


def chosen(rules: Collection[Rule], trouble: Trouble, now: datetime) -> Mapping[str, Rule]:
    """Give the rule by which each channel is told of a trouble: the first that takes it."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.takes(trouble, now):
            found.setdefault(rule.channel.name, rule)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """An address that is called while the hub is well, and how often.

    Args:
        allow_private: Networks it may be in although private, and over plain http.
    """

    url: Secret
    every: timedelta
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """All that `alerts` says: rules, every channel by its name, the heartbeat."""

    rules: tuple[Rule, ...] = ()
    channels: Mapping[str, Channel] = field(default_factory=dict)
    heartbeat: Heartbeat | None = None
