"""`hub check FILE`: every fault of a configuration at once."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli import ground

app = ground.new("Check a configuration: exit 0 clean, 1 with faults.")


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The file; else --config.")] = None,
    config: ground.ConfigFile = ground.DEFAULT,
    strict: Annotated[bool, typer.Option(help="Warnings are faults too.")] = False,
    no_secrets: Annotated[
        bool, typer.Option("--no-secrets", help="Missing secrets only warn; for CI.")
    ] = False,
) -> None:
    """Check a configuration and print every fault."""
    from hub import config as configuration  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    path = file or config
    if not path.is_file():
        raise typer.BadParameter(f"{path} does not exist")
    faults = configuration.check(
        path, ground.environment(path), secrets=not no_secrets, shop=VOCABULARY
    )
    for fault in faults:
        typer.echo(str(fault), err=True)
    errors = sum(1 for fault in faults if strict or not fault.warning)
    if errors:
        typer.echo(f"{errors} fault{'s' if errors > 1 else ''}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{path}: good")
