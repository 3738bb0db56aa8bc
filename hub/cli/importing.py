"""`hub import`: orders made elsewhere, out of a file; again goes on where it stopped."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground
from hub.errors import HubError, Refused

if TYPE_CHECKING:
    from hub.orders_file import Read

AT_ONCE = 200
MOST_TOLD = 20
app = ground.new("Import orders made elsewhere.", lists=True)


@app.callback()
def importing(ctx: typer.Context) -> None:
    """Say what can be imported."""
    if ctx.invoked_subcommand is None:
        raise HubError("what? There is: hub import orders FILE")


@app.command()
def orders(
    file: Annotated[Path, typer.Argument(help="JSON lines (.jsonl), or .csv with a header.")],
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Import orders: known by external_ref, they mail nobody. Exit 1 where one was refused."""
    if not file.is_file():
        raise HubError(f"{file} does not exist")
    size = file.stat().st_size
    done, faults = asyncio.run(_import(file, size, ground.load(config)))
    if as_json:
        ground.print_json({**done, "faults": faults})
    else:
        for fault in faults[:MOST_TOLD]:
            typer.echo(fault, err=True)
        typer.echo(f"{done['imported']} imported, {done['known']} known, {done['refused']} refused")
    if done["refused"]:
        raise typer.Exit(1)


async def _import(file: Path, size: int, config: Any) -> tuple[dict[str, int], list[str]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from hub.shop.backend import Shop, rules_of  # noqa: PLC0415

    action = Shop(rules_of(config)).actions["create_order"]
    done, faults = Counter(imported=0, known=0, refused=0), []
    shown = Progress(console=Console(stderr=True), transient=True)
    async with ground.opened(config) as store:
        with file.open(encoding="utf-8-sig", newline="") as lines, shown:
            bar = shown.add_task("orders", total=size)
            for some in _parts(_reader(file)(lines)):
                for read, what in await asyncio.gather(*(_one(store, action, r) for r in some)):
                    done[what] += 1
                    if what == "refused":
                        faults.append(f"{file}:{read.line}: {read.fault}")
                    shown.advance(bar, read.size)
    return dict(done), faults


async def _one(store: Any, action: Any, read: "Read") -> tuple["Read", str]:
    from dataclasses import replace  # noqa: PLC0415

    if read.order is None:
        return read, "refused"
    try:
        await store.change(action.work, read.order)
    except Refused as no:
        if no.code == "external_ref_exists":
            return read, "known"
        return replace(read, fault=no.detail or no.code), "refused"
    return read, "imported"


def _reader(file: Path) -> Any:
    from hub.orders_file import json_lines, table  # noqa: PLC0415

    return table if file.suffix.lower() == ".csv" else json_lines


def _parts(reads: Iterator["Read"]) -> Iterator[list["Read"]]:
    while some := list(islice(reads, AT_ONCE)):
        yield some
