"""`hub connectors`: every connector type with its quality; checking one; beginning a new one.

The contract suite is a test kit, which the hub itself never imports: it runs in a process of its
own, one for each folder. So a connector that cannot be imported, or exits, is a line in the list.
"""

import keyword
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli import ground, pause
from hub.config.declared import folders
from hub.config.document import read, resolve
from hub.config.report import Report
from hub.discovery import homes
from hub.errors import ConfigError, HubError
from hub.model import Json, read_json

app = ground.new("List connector types and their quality; check one; begin a new one.", lists=True)
for command in (pause.status, pause.pause, pause.resume):
    app.command()(command)
COLUMNS = ("type", "tier", "webhooks", "actions", "folder")
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("new_connector")
PLUGINS = Path("plugins")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
OURS = frozenset({"http", "inbound", "webhook", "shop", "form", "hub"})


@app.callback()
def connectors(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List every connector type: what it does, with which effect, and its quality tier."""
    if ctx.invoked_subcommand is not None:
        return
    known = sorted(_homes(config).items())
    if sys.stderr.isatty():
        typer.echo(f"running the contract suite over {len(known)} types", err=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(_judged, (folder for _, folder in known)))
    ground.show(rows if as_json else [_row(row) for row in rows], COLUMNS, as_json=as_json)
    for row in rows if not as_json else ():
        if row["failed"]:
            typer.echo(f"{row['type']}: see hub connectors check {row['folder']}", err=True)


@app.command()
def check(
    which: Annotated[str, typer.Argument(metavar="TYPE|FOLDER", help="What to check.")],
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Run the contract suite: exit 0 when it holds, 1 with what failed."""
    known = {} if os.sep in which else _homes(config)
    folder = known.get(which, Path(which))
    if not folder.is_dir():
        have = f" (types: {', '.join(sorted(known))})" if known else ""
        raise typer.BadParameter(f"there is no type or folder {which}{have}")
    code = _suite(str(folder)).returncode
    raise typer.Exit(code if code in (0, 2) else 1)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The type: small letters, digits, _.")],
    where: Annotated[
        Path | None,
        typer.Option("--in", help="Else connectors/ in a checkout, ./plugins elsewhere."),
    ] = None,
) -> None:
    """Write a folder to start from: it passes the suite as it is."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name) or keyword.iskeyword(name) or name in OURS:
        typer.echo(
            f"hub: {name!r} cannot be a type: small letters, digits and _, begun by a letter; "
            "no word of Python's or ours",
            err=True,
        )
        raise typer.Exit(2)
    folder = (where or _place()) / name
    if folder.exists():
        raise HubError(f"{folder} exists already")
    if (taken := homes([PLUGINS]).get(name)) is not None:
        raise HubError(f"the type {name} exists already, in {taken}")
    for path in _written(folder, name):
        typer.echo(path)
    typer.echo(f"\nIt works, on a made-up provider. Now: hub connectors check {folder}")
    if folder.parent != ROOT / "connectors":
        typer.echo(f"config.yaml finds it by: plugins: [{folder.parent}]")


# -- the suite -----------------------------------------------------------------------------------
def _judged(folder: Path) -> dict[str, Json]:
    """Give what the suite says of a folder; where it cannot speak, its last words."""
    done = _suite("--json", str(folder), capture_output=True, text=True)
    try:
        told = read_json(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        told = None
    if isinstance(told, dict) and "tier" in told:
        return told
    last = ["it ends the process", *done.stderr.splitlines()][-1]
    return {
        "type": folder.name, "folder": str(folder), "tier": "none", "failed": [last],
        "missing": {}, "actions": [], "webhooks": False,
    }  # fmt: skip


def _suite(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run the suite; `-P`: no file of the current folder may pass for a module."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "hub.testing", *words]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False, **how)  # noqa: S603 -- our own interpreter and module


def _row(told: dict[str, Json]) -> dict[str, Json]:
    """Give a line of the table."""
    actions = "\n".join(f"{one['name']} ({one['effect']})" for one in told["actions"])
    webhooks = "yes" if told["webhooks"] else None
    return told | {"actions": actions or None, "webhooks": webhooks}


# -- folders -------------------------------------------------------------------------------------
def _homes(config: Path) -> dict[str, Path]:
    """Give every type's folder; without a configuration ./plugins is looked into too.

    Raises:
        ConfigError: A configuration was named, and cannot be read.
    """
    if config == ground.DEFAULT and not config.is_file():
        return homes([PLUGINS])
    report = Report()
    document = read(config, report)
    if document is None:
        raise ConfigError(*report.faults())
    tree = resolve(document.tree, os.environ, config.parent, report, secrets=False)
    return homes(folders(tree, config.parent, report))


def _place() -> Path:
    """Give where a new connector goes: into the checkout one stands in, else to one's plugins."""
    inside = Path.cwd().is_relative_to(ROOT) and (ROOT / "pyproject.toml").is_file()
    return ROOT / "connectors" if inside else PLUGINS


def _written(folder: Path, name: str) -> Iterator[Path]:
    """Copy the template, with its names changed."""
    title = "".join(word.capitalize() for word in name.split("_"))
    for source in sorted(TEMPLATE.rglob("*.*")):
        if source.suffix == ".pyc":
            continue
        target = folder / source.relative_to(TEMPLATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text("utf-8")
        for old, its in (("acme", name), ("Acme", title), ("ACME", name.upper())):
            text = text.replace(old, its)
        target.write_text(text, "utf-8")
        yield target
