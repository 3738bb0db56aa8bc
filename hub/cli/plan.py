"""`hub plan NEW`: what another configuration would send differently, over the last events."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground
from hub.errors import ConfigError, Fault, HubError
from hub.model import Json, read_json, rfc3339

if TYPE_CHECKING:
    from hub.config import Config
    from hub.plan import Difference, Planned, Tally
    from store.store import Store

app = ground.new("Show what another configuration would send differently; nothing is sent.")
EXAMPLES = 3
PAGE = 200
SHOWN = 60
NEW = typer.Argument(metavar="NEW", help="The other configuration; without it --event alone.")


@app.command()
def plan(
    new: Annotated[Path | None, NEW] = None,
    config: ground.ConfigFile = ground.DEFAULT,
    events: Annotated[int, typer.Option(min=1, max=100_000, help="So many, the last ones.")] = 1000,
    event: Annotated[Path | None, typer.Option(help="One event as JSON, instead.")] = None,
    route: Annotated[list[str] | None, typer.Option(help="This route only.")] = None,
    reveal: Annotated[bool, typer.Option(help="Show personal data; this is recorded.")] = False,
    as_json: ground.AsJson = False,
) -> None:
    """Replay the last events through the old and the new configuration and compare."""
    if new is None and event is None:
        raise typer.BadParameter("name the other configuration, or give --event FILE")
    with ground.kept():
        from hub import in_use  # noqa: PLC0415
        from hub.plan import Findings, Plan  # noqa: PLC0415
        from hub.routing import Router  # noqa: PLC0415
        from store import store as _  # noqa: F401, PLC0415 -- it will be opened

        running = _read(config)
        wanted = running if new is None else _read(new)
    old, other = Router(() if new is None else running.routes), Router(wanted.routes)
    warnings: list[Fault] = []
    for name in route or ():
        if name not in old.by_name and name not in other.by_name:
            raise typer.BadParameter(f"there is no route {name}")
    found = Findings(Plan(old, other, wanted.known.personal()), reveal=reveal or event is not None)
    if event is not None:
        found.add(_event(event))
    else:
        live = asyncio.run(
            ground.on_store(running, lambda store: _last(store, events, reveal, found.add))
        )
        warnings = in_use.warnings(wanted, live)
    kept = {name: tally for name, tally in found.routes.items() if not route or name in route}
    paused = [name for name in kept if name in other.by_name and other.by_name[name].paused]
    for warning in warnings:
        typer.echo(str(warning), err=True)
    if as_json:
        ground.print_json(_json(kept, found.unread, paused))
    else:
        _print(kept, found.unread, against=new is not None)
        for name in paused:
            typer.echo(f"\n{name} is paused: its jobs are written, and held until it is no longer")
    if any(tally.counts["fails"] for tally in kept.values()):
        raise typer.Exit(1)


def _read(path: Path) -> "Config":
    """Read a configuration; secrets that are not here matter to nothing that is compared."""
    from hub import config  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    if not path.is_file():
        raise ConfigError(Fault(code="file.missing", text=f"{path} does not exist"))
    return config.load(path, env=ground.environment(path), secrets=False, shop=VOCABULARY)


def _event(path: Path) -> Json:
    try:
        return read_json(path.read_bytes())
    except ValueError as error:
        raise HubError(f"{path}: {error}") from error


async def _last(
    store: "Store", count: int, reveal: bool, add: Callable[[Json], None]
) -> dict[str, int]:
    """Add the last events, newest first, a page at a time; give each connector's live jobs."""
    from store import reads  # noqa: PLC0415
    from store.standing import live_jobs  # noqa: PLC0415

    if reveal:
        await store.change(_noted, count)
    async with store.read() as connection:
        there = await reads.how_many_events(connection, limit=count)
        before: int | None = None
        with _progress(there) as done:
            for start in range(0, there, PAGE):
                page = await reads.list_events(
                    connection,
                    store.cipher,
                    newest=True,
                    before=before,
                    limit=min(PAGE, there - start),
                )
                for before, event in page:  # noqa: B007 -- the next page begins before the last
                    add(event)
                done(len(page))
    return await store.look(live_jobs)


def _noted(tx: Any, count: int) -> None:
    from store.audit import note  # noqa: PLC0415

    note(tx, ground.me(), "plan.reveal", "events", f"the last {count}")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is, to a person at a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing", total=total)
        yield lambda more: bar.advance(task, more)


def _json(found: "dict[str, Tally]", unread: int, paused: list[str]) -> Json:
    return {
        "routes": {
            name: dict(tally.counts)
            | {"paused": name in paused, "events": [_planned(one) for one in tally.told]}
            for name, tally in found.items()
        },
        "unread": unread,
    }


def _planned(one: "Planned") -> Json:
    fields = [{"path": f.path, "old": f.old, "new": f.new} for f in one.fields]
    more = {"error": one.error, "failed_before": one.failed} if one.found == "fails" else {}
    about = one.event.aggregate.id if one.event.aggregate else None
    return {
        "event": one.event.id,
        "type": one.event.type,
        "about": about,
        "at": rfc3339(one.event.at),
        "found": one.found,
        "does": one.does,
        "fields": fields,
        **more,
    }


# -- for people ------------------------------------------------------------------------------------
def _print(found: "dict[str, Tally]", unread: int, *, against: bool) -> None:
    from hub.plan import FOUND  # noqa: PLC0415

    rows: list[dict[str, Json]] = [{"route": n, **t.counts} for n, t in found.items()]
    ground.show(rows, ("route", *FOUND), as_json=False)
    for name, tally in found.items():
        for kind, alike in _alike(tally).items():
            typer.echo(f"\n{name}: {len(alike)} {kind}")
            for one in alike[: EXAMPLES if against else None]:
                _print_one(one)
            if against and len(alike) > EXAMPLES:
                typer.echo(f"  … and {len(alike) - EXAMPLES} more (--json tells all)")
    if unread:
        typer.echo(f"\n{unread} events whose data is no longer kept were left out")


def _alike(tally: "Tally") -> "dict[str, list[Planned]]":
    """Group what a route does differently by what differs, lists taken together."""
    groups: dict[str, list[Planned]] = {}
    for one in tally.told:
        paths = dict.fromkeys(_unnumbered(f.path) for f in one.fields)
        what = f"changed in {', '.join(paths)}" if one.found == "changed" else one.found
        groups.setdefault(what, []).append(one)
    return groups


def _unnumbered(path: str) -> str:
    """Write a path without the numbers of its items.

    >>> _unnumbered("input.lines[12].price")
    'input.lines[].price'
    """
    head, *rest = path.split("[")
    return head + "".join(f"[{part[part.index(']') :]}" for part in rest)


def _print_one(one: "Planned") -> None:
    about = f" {one.event.aggregate.id}" if one.event.aggregate else ""
    typer.echo(f"  {one.event.type}{about} ({one.event.id})")
    if one.error:
        typer.echo(f"    {one.error}{' (it failed before, too)' if one.failed else ''}")
    for change in one.fields:
        typer.echo(f"    {change.path}: {_change(one, change)}")


def _change(one: "Planned", change: "Difference") -> str:
    from hub.model import write_json  # noqa: PLC0415

    def text(value: Json) -> str:
        made = write_json(value).decode()
        return made if len(made) <= SHOWN else f"{made[: SHOWN - 1]}…"

    if one.found in ("new", "gone"):
        return text(change.new if one.found == "new" else change.old)
    if text(change.old) == text(change.new):
        return f"{text(change.old)} (what is masked differs)"
    return f"{text(change.old)} → {text(change.new)}"
