"""`hub init`: a configuration to start from, with a fresh key and the routes of its connectors."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli import ground

app = ground.new("Write a configuration to start from.")
NEXT = """
Next: hub check, then hub serve. It calls the providers' doubles until this is production:
see `outbound` in docs/configuration.md. Your own keys go into .env."""


@app.command()
def init(
    types: Annotated[
        list[str] | None, typer.Argument(help="Connector types; else the usual four.")
    ] = None,
    home: Annotated[Path, typer.Option("--in", help="The folder to write into.")] = Path(),
) -> None:
    """Write config.yaml, its routes, and a .env with a fresh key; nothing is overwritten."""
    from hub import starting  # noqa: PLC0415

    for path in starting.write(home, starting.files(types or starting.USUAL)):
        typer.echo(str(path))
    typer.echo(NEXT)
