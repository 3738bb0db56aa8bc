"""`hub backup`: one file with everything, made beside running hubs and checked."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import bar, ground
from hub.cli.verify import told_of

if TYPE_CHECKING:
    from hub.config import Config
    from store.backup import Check, Made

app = ground.new("Back the store up into a file, beside running hubs.")
To = Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A new file, or where to make one.")]


@app.command()
def backup(
    to: To, config: ground.ConfigFile = ground.DEFAULT, as_json: ground.AsJson = False
) -> None:
    """Back everything up into one new file, and check that it is whole.

    It holds what was committed when it began, sealed as it is sealed in the store.
    """
    made = asyncio.run(_back_up(ground.load(config), to))
    if as_json:
        return ground.print_json(
            {
                "file": str(made.file),
                "cut": made.cut.isoformat(),
                "rows": sum(made.rows.values()),
                "bytes": made.size,
            }
        )
    what = f"{sum(made.rows.values())} rows, {made.size / 1e6:.1f} MB"
    typer.echo(f"{made.file}: all until {made.cut:%Y-%m-%d %H:%M:%S} UTC, {what}, checked")
    return None


async def _back_up(config: "Config", to: Path) -> "Made":
    from store import backup  # noqa: PLC0415
    from store.audit import note  # noqa: PLC0415

    async with ground.opened(config) as store:
        cut = store.clock.now()
        file = _file(to, cut)
        with bar.shown() as told:
            made = await backup.back_up(
                config.store.url, file, by=ground.me(), cut=cut, check=checked(config), told=told
            )
        await store.write(lambda tx: note(tx, ground.me(), "backup", made.file.name))
    return made


def _file(to: Path, cut: datetime) -> Path:
    return to / f"hub-{cut:%Y%m%dT%H%M%SZ}.db" if to.is_dir() else to


def checked(config: "Config") -> "Check":
    """Give what names the checks of `hub verify` that a copy breaks."""
    from hub.clock import SystemClock  # noqa: PLC0415
    from store.store import Store  # noqa: PLC0415

    async def check(url: str) -> list[str]:
        copy = await Store.open(url, keys=config.store.encryption_keys, clock=SystemClock())
        try:
            return [str(one["name"]) for one in await told_of(copy) if one["broken"]]
        finally:
            await copy.close()

    return check
