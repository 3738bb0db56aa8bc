"""What commands on many jobs or events share: options of a filter, asking first, the result."""

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import PydanticCustomError

from hub.config.units import duration

if TYPE_CHECKING:
    from store.bulk import Done, Filter

HELP = {
    "state": "Only those in this state.",
    "connector": "Only this connector's.",
    "action": "Only this action's, such as upsert_contacts.",
    "route": "Only this route's.",
    "type": "Only of events of this type, or of one ending in '.*'.",
    "about": "Only what is about this order, payment …",
    "error": "Only where the reason contains this text.",
    "since": "Written at or after: 2026-11-20T12:00Z, or 2h for two hours ago.",
    "until": "Written before: as --since.",
}
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def filtered(kind: Callable[[], type["Filter"]], *names: str) -> Callable[[Any], Any]:
    """Give a command the options of a filter, handed to it as `which`; None where none is set."""

    def declare(command: Any) -> Any:
        shape = inspect.signature(command)
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, typer.Option(f"--{name}", help=HELP[name])],
            )
            for name in names
        ]
        own = [p for p in shape.parameters.values() if p.name != "which"]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            found = {name: given.pop(name) for name in names}
            command(**given, which=_filter(kind(), found))

        run.__signature__ = shape.replace(parameters=_ordered(own, options))  # type: ignore[attr-defined]  # inspect reads it
        run.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
        return run

    return declare


def agreed(text: str, *, yes: bool) -> None:
    """Go on only if a person agrees: `--yes`, or at a terminal.

    Raises:
        Exit: 2 where nobody can be asked, 1 where the answer is no.
    """
    typer.echo(text)
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo("nothing was done: add --yes to do it", err=True)
        raise typer.Exit(2)
    if not typer.confirm("Go on?"):
        raise typer.Exit(1)


def tell(done: "Done", deed: str, thing: str = "job") -> None:
    """Say how many were done, and why others were not.

    Raises:
        Exit: 1 where some were not.
    """
    typer.echo(f"{counted(done.count, thing)} {deed}")
    for reason, count in done.refused.most_common():
        typer.echo(f"{count} not: {reason}", err=True)
    if done.refused:
        raise typer.Exit(1)


def counted(count: int, thing: str) -> str:
    """Say how many of a thing.

    >>> counted(1, "job"), counted(2, "job")
    ('1 job', '2 jobs')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def one_of(ident: str | None, which: "Filter | None", thing: str) -> None:
    """Raise unless either one is named or a filter is set."""
    if (ident is None) == (which is None):
        raise typer.BadParameter(f"name one {thing}, or choose some by options such as --since")


def _filter(kind: type["Filter"], given: dict[str, str | None]) -> "Filter | None":
    names = {field.name for field in fields(kind)}
    found: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in ("since", "until"):
        if name in found:
            found[name] = moment(found[name])
    return kind(**found) if names & found.keys() else None


def moment(text: str) -> datetime:
    """Read a time, or how long ago it was."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - duration(text)  # type: ignore[no-any-return]  # a timedelta
        except PydanticCustomError as error:
            fault = f"'{text}' is neither a time (2026-11-20T12:00Z) nor a while ago (2h)"
            raise typer.BadParameter(fault) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _ordered(
    own: Sequence[inspect.Parameter], options: Sequence[inspect.Parameter]
) -> list[inspect.Parameter]:
    """Put the filter's options after what the command needs, before what it may be given."""
    needed = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    return [*needed[:1], *options, *needed[1:]]
