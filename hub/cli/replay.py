"""`hub events replay`: what routes would do again is shown first, and money and mail ask."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hub.cli import ground
from hub.cli.many import Yes, agreed, counted, filtered, one_of, tell

if TYPE_CHECKING:
    from hub.config import Config
    from hub.routing import Route
    from store.bulk import Events
    from store.replay import Mapping, Offer, Wish
    from store.store import Store

COLUMNS = ("route", "does", "now", "then", "differs")
AT_ONCE = 100
ASKING = ("money", "message")
Ident = Annotated[str | None, typer.Argument(metavar="ID", help="The event's id, evt_…")]
Named = Annotated[
    list[str] | None, typer.Option("--route", help="Replay this route too, whatever its origins.")
]
How = Annotated[
    Literal["now", "then"] | None,
    typer.Option("--mapping", help="Map as the routes do now, or send what was sent then."),
]


def _events() -> "type[Events]":
    from store.bulk import Events  # noqa: PLC0415 -- only commands that need it pay for it

    return Events


@filtered(_events, "type", "about", "since", "until")
def replay(
    ident: Ident = None,
    route: Named = None,
    mapping: How = None,
    yes: Yes = False,
    config: ground.ConfigFile = ground.DEFAULT,
    *,
    which: "Events | None",
) -> None:
    """Make an event's jobs again, under new keys; nobody is mailed unless a route is named."""
    one_of(ident, which, "event")
    read = ground.load(config)
    asyncio.run(_run(_Replay(read, route or [], mapping, yes=yes), ident, which))


@dataclass(slots=True)
class _Tally:
    """What one route would do, over all the events."""

    now: int = 0
    then: int = 0
    differing: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def add(self, offer: "Offer") -> None:
        self.now += offer.now is not None
        self.then += offer.then is not None
        if offer.then is not None and (changed := offer.changed()):
            self.differing += 1
            self.fields.update(changed)


class _Replay:
    """One call of the command: what it was told, and what it finds."""

    def __init__(
        self, config: "Config", named: Sequence[str], mapping: "Mapping | None", *, yes: bool
    ) -> None:
        from hub.routing import Router  # noqa: PLC0415

        self.config, self.named, self.mapping, self.yes = config, named, mapping, yes
        self.router: Router = Router(config.routes)
        for name in named:
            if name not in self.router.by_name and mapping != "then":
                have = ", ".join(self.router.by_name) or "none"
                raise typer.BadParameter(f"there is no route {name} (have: {have})")

    def wish(self) -> "Wish":
        """Say what is replayed how."""
        from store.replay import Wish  # noqa: PLC0415

        routes = self.router.routes
        open_to = [r.name for r in routes if "replay" in r.origins or r.name in self.named]
        gone = [name for name in self.named if name not in open_to]
        return Wish(
            routes=[*open_to, *gone],
            rewrite=self.router.job_of,
            mapping=self.mapping or "now",
        )

    def settle_mapping(self, tallies: Iterable[_Tally]) -> None:
        """Refuse to choose between now and then where they differ."""
        if self.mapping is None and any(tally.differing for tally in tallies):
            typer.echo("now and then differ: say --mapping now or --mapping then", err=True)
            raise typer.Exit(2)

    def asks(self, name: str) -> bool:
        """Say whether a route sends messages or moves money; one that is gone may have."""
        route = self.router.by_name.get(name)
        return route is None or route.action.kind in ASKING


async def _run(told: _Replay, ident: str | None, which: "Events | None") -> None:
    from store import bulk  # noqa: PLC0415
    from store.replay import replay  # noqa: PLC0415

    async with ground.opened(told.config) as store:
        idents = [ident or ""] if which is None else await _found(store, which)
        tallies = await _tallies(store, idents, told.wish())
        if not _shown(told, idents, tallies):
            return
        told.settle_mapping(tallies.values())
        _ask(told, idents, tallies, many=which is not None)
        work = partial(replay, wish=told.wish(), by=ground.me(), why=str(which or ""))
        if which is None:
            made = await store.change(work, idents[0])
            typer.echo(f"{counted(len(made), 'job')} made: {', '.join(j.uid for j in made)}")
        else:
            tell(await bulk.each(store, idents, work), "replayed", "event")


async def _found(store: "Store", which: "Events") -> list[str]:
    from store import bulk  # noqa: PLC0415

    async with store.read() as connection:
        return await bulk.find(connection, which)


async def _tallies(store: "Store", idents: Sequence[str], wish: "Wish") -> dict[str, _Tally]:
    """Count what each route would do, on snapshots of a hundred events."""
    tallies: dict[str, _Tally] = {}
    for start in range(0, len(idents), AT_ONCE):
        some = idents[start : start + AT_ONCE]
        for offer in await store.look(partial(_offers, idents=some, wish=wish)):
            tallies.setdefault(offer.route, _Tally()).add(offer)
    return tallies


def _offers(tx: Any, idents: Sequence[str], wish: "Wish") -> list["Offer"]:
    from store.replay import offers  # noqa: PLC0415

    return [offer for ident in idents for offer in offers(tx, ident, wish)]


def _shown(told: _Replay, idents: Sequence[str], tallies: dict[str, _Tally]) -> bool:
    """Show what would be done; False where that is nothing."""
    if not tallies:
        shut = [r.name for r in told.router.routes if "replay" not in r.origins]
        more = f"; name one with --route: {', '.join(shut)}" if shut and idents else ""
        typer.echo(f"{counted(len(idents), 'event')}, no route takes a replay of it{more}")
        return False
    ground.show([_row(told, *one) for one in tallies.items()], COLUMNS, as_json=False)
    return True


def _row(told: _Replay, name: str, tally: _Tally) -> dict[str, Any]:
    route: Route | None = told.router.by_name.get(name)
    fields = ", ".join(name for name, _ in tally.fields.most_common(5))
    return {
        "route": name,
        "does": f"{route.connector}.{route.action.name}" if route else "(no longer there)",
        "now": tally.now,
        "then": tally.then,
        "differs": f"{tally.differing}: {fields}" if tally.differing else None,
    }


def _ask(told: _Replay, idents: Sequence[str], tallies: dict[str, _Tally], *, many: bool) -> None:
    """Ask where it is more than one event, or moves money or sends messages."""
    made = {name: getattr(tally, told.wish().mapping) for name, tally in tallies.items()}
    asking = [name for name, count in made.items() if count and told.asks(name)]
    if not many and not asking:
        return
    text = f"{counted(len(idents), 'event')} to be replayed as {told.wish().mapping}: "
    text += counted(sum(made.values()), "job")
    if asking:
        text += f"; sends messages or moves money: {', '.join(asking)}"
    agreed(text, yes=told.yes)
