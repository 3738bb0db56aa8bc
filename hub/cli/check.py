"""`hub check FILE`: every fault of a configuration at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hub.cli import ground

if TYPE_CHECKING:
    from hub.config import Config
    from hub.errors import Fault

app = ground.new("Check a configuration: exit 0 clean, 1 with faults.")
Format = Literal["text", "json", "github", "sarif"]


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="The file; else --config.")] = None,
    config: ground.ConfigFile = ground.DEFAULT,
    strict: Annotated[bool, typer.Option(help="Warnings are faults too.")] = False,
    no_secrets: Annotated[
        bool, typer.Option("--no-secrets", help="Missing secrets only warn; for CI.")
    ] = False,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Ask each provider too: credentials, permissions; and the store."
        ),
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="For people, or for a machine on standard output.")
    ] = "text",
) -> None:
    """Check a configuration and print every fault."""
    from hub.config.formats import FORMATS  # noqa: PLC0415

    path = file or config
    if not path.is_file():
        raise typer.BadParameter(f"{path} does not exist")
    faults = _faults(path, secrets=not no_secrets, strict=strict)
    if online and not any(not fault.warning for fault in faults):
        faults += _asked(ground.load(path))
    if faults or form != "text":
        typer.echo(FORMATS[form](faults), err=form == "text")
    errors = sum(1 for fault in faults if strict or not fault.warning)
    if errors:
        typer.echo(f"{errors} fault{'s' if errors > 1 else ''}", err=True)
        raise typer.Exit(1)
    if form == "text":
        typer.echo(f"{path}: good")


def _faults(path: Path, *, secrets: bool, strict: bool) -> "list[Fault]":
    from hub import config as configuration  # noqa: PLC0415
    from hub.errors import ConfigError  # noqa: PLC0415
    from hub.shop.vocabulary import VOCABULARY  # noqa: PLC0415

    try:
        env = ground.environment(path)
    except ConfigError as error:
        return list(error.faults)
    return configuration.check(path, env, secrets=secrets, shop=VOCABULARY, strict=strict)


def _asked(config: "Config") -> "list[Fault]":
    import asyncio  # noqa: PLC0415
    from contextlib import suppress  # noqa: PLC0415

    from hub import in_use  # noqa: PLC0415
    from hub.errors import HubError  # noqa: PLC0415
    from hub.online import ask  # noqa: PLC0415
    from store.standing import live_jobs  # noqa: PLC0415

    found = asyncio.run(ask(config))
    with suppress(HubError):  # there may be no store yet
        live = asyncio.run(ground.on_store(config, lambda store: store.look(live_jobs)))
        found += in_use.warnings(config, live)
    return found
