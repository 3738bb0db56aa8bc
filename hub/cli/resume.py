"""`hub resume --after-restore`: see what would go out after a restore, then let it."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground, many
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.model import Json
    from store.store import Store

app = ground.new("Let calls go out again after a restore.")
COLUMNS = ("connector", "send", "look_up", "uncertain", "too_late")
After = Annotated[bool, typer.Option("--after-restore", help="The store was restored.")]


@app.command()
def resume(
    after_restore: After = False,
    yes: many.Yes = False,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Show what becomes of each connector's jobs, ask, and let calls go out again.

    send: goes out, under its old key where it has one. look_up: the provider may have forgotten
    the key, and is asked. uncertain: it may have been sent, and a person says what became of it.
    too_late: it dies unsent. With --json and without --yes it only shows.
    """
    if not after_restore:
        raise typer.BadParameter("say --after-restore; hub connectors resume is for one connector")
    asyncio.run(_resume(ground.load(config), yes=yes, as_json=as_json))


async def _resume(config: "Config", *, yes: bool, as_json: bool) -> None:
    from store import restored  # noqa: PLC0415

    async with ground.opened(config) as store:
        rows = await _foreseen(config, store)
        ground.show(rows, COLUMNS, as_json=as_json)
        if as_json and not yes:
            return
        if not as_json:
            many.agreed(_said(rows), yes=yes)
        lasted = await store.change(lambda tx, by: restored.release(tx, by=by), ground.me())
        typer.echo(f"calls go out again; nobody was called for {lasted}", err=as_json)


def _said(rows: "list[dict[str, Json]]") -> str:
    send, parked = (sum(row[name] for row in rows) for name in ("send", "uncertain"))
    sent = f"{many.counted(send, 'job')} will be sent"
    return f"{sent}; for a person are {parked}: hub jobs --state uncertain"


async def _foreseen(config: "Config", store: "Store") -> "list[dict[str, Json]]":
    from store import restored  # noqa: PLC0415

    if await store.look(restored.pending) is None:
        raise HubError("nothing waits since a restore")
    return await store.look(lambda tx: restored.foreseen(tx, _windows(config)))


def _windows(config: "Config") -> dict[tuple[str, str], timedelta]:
    return {
        (name, action): spec.effect.window
        for name, made in config.connectors.items()
        for action, spec in made.cls.actions().items()
        if spec.effect.window is not None
    }
