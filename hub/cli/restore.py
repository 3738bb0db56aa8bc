"""`hub restore`: a backup into an empty store; nobody is called until `hub resume`."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import bar, ground
from hub.cli.backup import checked

if TYPE_CHECKING:
    from hub.config import Config

app = ground.new("Restore a backup into an empty store.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="What hub backup has made.")]


@app.command()
def restore(file: File, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Make the empty store of this configuration what it was at a backup.

    What may have been sent since then is not sent again where that would repeat it. The hub may
    be started at once: it takes webhooks and orders, and calls nobody until hub resume.
    """
    cut = asyncio.run(_restore(ground.load(config), file))
    typer.echo(f"The store is as it was at {cut:%Y-%m-%d %H:%M:%S} UTC; nobody is called.")
    typer.echo("Start the hub, then: hub resume --after-restore")


async def _restore(config: "Config", file: Path) -> datetime:
    from hub.clock import SystemClock  # noqa: PLC0415
    from store import restoring  # noqa: PLC0415
    from store.crypto import Cipher  # noqa: PLC0415

    what = restoring.Restore(file=file, by=ground.me(), now=SystemClock().now())
    with bar.shown() as told:
        return await restoring.restore(
            what,
            config.store.url,
            cipher=Cipher(config.store.encryption_keys),
            check=checked(config),
            told=told,
        )
