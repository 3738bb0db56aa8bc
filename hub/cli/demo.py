"""`hub demo`: one order played through the hub and the providers' doubles."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import ground

app = ground.new("Play one order through the hub and the sandbox.")
HOME = Path("var/demo")


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep serving afterwards.")] = False,
    home: Annotated[Path, typer.Option(help="Where its configuration and store lie.")] = HOME,
) -> None:
    """Play one order through the hub and the sandbox, and show its timeline."""
    from hub import log  # noqa: PLC0415
    from hub.demo.play import play  # noqa: PLC0415

    log.setup(level="WARNING", text=sys.stderr.isatty())
    address = os.environ.get("HUB_LISTEN") or ("127.0.0.1:8080" if serve else "127.0.0.1:0")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter(f"HUB_LISTEN wants host:port, got {address}")
    good = asyncio.run(play(home, address=address, serve=serve))
    if not good:
        raise typer.Exit(1)
