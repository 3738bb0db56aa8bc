"""`hub schema`: JSON Schemas for editors, of config.yaml and of mapping files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hub.cli import ground

app = ground.new("Print the JSON Schemas that editors complete by.")
FOLDER = Path(".hub/schema")


@app.command()
def schema(
    of: Annotated[Literal["config", "mapping"], typer.Argument(help="Of which file.")] = "config",
    write: Annotated[
        bool, typer.Option("--write", help="Write both into .hub/schema beside the configuration.")
    ] = False,
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Print the JSON Schema of config.yaml, or of mapping files, with all installed connectors."""
    from hub.config import editors  # noqa: PLC0415
    from hub.model import write_json  # noqa: PLC0415

    plugins = [folder for folder in (config.parent / "plugins",) if folder.is_dir()]
    made = {"config": editors.config(plugins), "mapping": editors.mapping(plugins)}
    if not write:
        return ground.print_json(made[of])
    folder = config.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in made.items():
        (folder / f"{name}.json").write_bytes(write_json(found))
        typer.echo(f"# yaml-language-server: $schema={FOLDER / name}.json")
    return None
