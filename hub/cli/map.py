"""`hub map`: run a mapping's tests, run it on one event, explain where each field comes from."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground
from hub.errors import ConfigError, Fault, HubError
from hub.model import Event, Json, read_json
from hub.nodes import plain

if TYPE_CHECKING:
    from hub.config.events import Events
    from hub.config.mapped import Mapped, Mappings

app = ground.new("Test, run and explain mappings.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The mapping.")]
Told = Annotated[
    str, typer.Argument(metavar="EVENT", help="A file with an event as JSON, or an event's id.")
]


@app.callback()
def mappings() -> None:
    """Stand before the commands, so that each keeps its name."""


@app.command("test")
def check(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One; else all.")] = None,
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Run the tests inside mapping files: exit 0 where all pass, else 1."""
    known = _known(config)
    ran = failed = 0
    for each in [name] if name else known.names():
        mapping = _found(known, each)
        faults = known.failures(mapping)
        tests = len(plain(mapping.tests) or ()) if mapping.tests else 0
        ran, failed = ran + tests, failed + len({(f.file, f.line) for f in faults})
        for fault in faults:
            typer.echo(str(fault), err=True)
        typer.echo(f"{each}: {tests} tests{', ' + str(len(faults)) + ' faults' if faults else ''}")
    typer.echo(f"{ran} tests, {failed} failed")
    if failed:
        raise typer.Exit(1)


@app.command()
def run(name: Name, event: Told, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Print what a mapping makes of one event."""
    from hub.routing import OMIT, scope  # noqa: PLC0415

    mapping = _found(_known(config), name)
    made = mapping(scope(_event(event, config, f"map.run {name}")))
    if made is OMIT:
        typer.echo("omitted: no job would be sent")
    else:
        ground.print_json(made)


@app.command()
def explain(
    name: Name,
    event: Told,
    config: ground.ConfigFile = ground.DEFAULT,
    reveal: Annotated[bool, typer.Option(help="Show personal data; this is recorded.")] = False,
    as_json: ground.AsJson = False,
) -> None:
    """Show each field that a mapping sets, what it is read from, and its value."""
    from hub.personal import Mask  # noqa: PLC0415
    from hub.routing import scope  # noqa: PLC0415
    from mappings.explain import explained  # noqa: PLC0415

    mapping = _found(_known(config), name)
    told = _event(event, config, f"map.explain {name}" if reveal else "")
    mask = None if reveal else Mask(told.data, _events(config).personal()(told))
    rows: list[dict[str, Json]] = [
        {
            "field": one.field or "(the whole)",
            "from": ", ".join(one.sources) or "(fixed)",
            "value": mask(one.value, one.field.rpartition(".")[2]) if mask else one.value,
        }
        for one in explained(mapping, scope(told))
    ]
    if not as_json:
        rows = [row | {"value": _short(row["value"])} for row in rows]
    ground.show(rows, ("field", "from", "value"), as_json=as_json)


def _short(value: Json) -> str:
    from hub.model import write_json  # noqa: PLC0415

    text = write_json(value).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"


def _known(path: Path) -> "Mappings":
    from hub.config.known import mappings  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    if not path.is_file():
        raise ConfigError(Fault(code="file.missing", text=f"{path} does not exist"))
    return mappings(path, ground.environment(path), shop=VOCABULARY)


def _events(path: Path) -> "Events":
    from hub.config.known import events  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    return events(path, ground.environment(path), shop=VOCABULARY)


def _found(known: "Mappings", name: str) -> "Mapped":
    from hub.config.report import suggest  # noqa: PLC0415

    if name not in known.names():
        raise typer.BadParameter(f"there is no mapping '{name}'; {suggest(name, known.names())}")
    found = known.find(name)
    if found is None:
        raise ConfigError(*known.faults())
    return found


def _event(told: str, config: Path, why: str) -> Event:
    """Read an event from a file, or from the store, where it is recorded that it was shown."""
    from hub.plan import event_of  # noqa: PLC0415

    path = Path(told)
    if not path.is_file():
        if not told.startswith("evt_"):
            raise typer.BadParameter(f"there is no file {told}, and it is no event's id")
        return event_of(asyncio.run(ground.on_store(ground.load(config), _stored(told, why))))
    try:
        return event_of(read_json(path.read_bytes()))
    except ValueError as error:
        raise HubError(f"{told}: {error}") from error


def _stored(ident: str, why: str) -> Any:
    async def work(store: Any) -> Json:
        from store import reads  # noqa: PLC0415
        from store.audit import note  # noqa: PLC0415

        async with store.read() as connection:
            found = await reads.one_event(connection, ident, store.cipher)
        if found is None:
            raise HubError(f"there is no event {ident}")
        if why:
            await store.change(lambda tx, _: note(tx, ground.me(), "event.show", ident, why), None)
        return found

    return work
