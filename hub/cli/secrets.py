"""`hub secrets`: making what config.yaml refers to, and changing the key a store is sealed with."""

import asyncio
from typing import TYPE_CHECKING, Any

import typer

from hub import crash
from hub.cli import bar, ground
from hub.cli.many import counted

if TYPE_CHECKING:
    from hub.model import Json
    from store.rotation import Rotated

app = ground.new("Make keys and secrets; seal a store with a new key.")
MOST_NAMED = 20


@app.callback()
def secrets() -> None:
    """Make keys and secrets."""


@app.command()
def new() -> None:
    """Make a key for store.encryption_keys: 32 random bytes in base64."""
    from store.crypto import new_key  # noqa: PLC0415

    typer.echo(new_key())


@app.command()
def rotate(config: ground.ConfigFile = ground.DEFAULT, as_json: ground.AsJson = False) -> None:
    """Seal the whole store with the first of store.encryption_keys, beside running hubs.

    Cut off, the same command goes on where it was. It says when the old key may go.
    """
    crash.arm()
    done = asyncio.run(ground.on_store(ground.load(config), _rotate))
    if as_json:
        ground.print_json(_shown(done))
    else:
        _tell(done)
    if done.closed or done.left:
        raise typer.Exit(1)


async def _rotate(store: Any) -> "Rotated":
    from store import rotation  # noqa: PLC0415
    from store.audit import note  # noqa: PLC0415

    with bar.shown() as told:
        done = await rotation.rotate(store, told=told)
    text = f"{counted(done.sealed.total(), 'value')} sealed anew"
    await store.write(lambda tx: note(tx, ground.me(), "secrets.rotate", "store", text))
    return done


def _shown(done: "Rotated") -> "dict[str, Json]":
    closed: list[Json] = [{"column": column, "row": row} for column, row in sorted(done.closed)]
    return {
        "sealed": {name: count for name, count in done.sealed.items() if count},
        "closed": closed,
        "left": done.left,
    }


def _tell(done: "Rotated") -> None:
    for name, count in done.sealed.items():
        if count:
            typer.echo(f"{count:>9}  {name}")
    typer.echo(f"{counted(done.sealed.total(), 'value')} sealed anew")
    if done.closed:
        typer.echo(f"{counted(len(done.closed), 'value')} no key at hand opens:", err=True)
        for column, row in sorted(done.closed)[:MOST_NAMED]:
            typer.echo(f"           {column} of {row}", err=True)
    if done.left:
        text = f"{counted(done.left, 'value')} are still sealed with an old key: a hub still writes"
        typer.echo(f"{text} with it; restart it on the new one, then rotate again", err=True)
    if not done.closed and not done.left:
        typer.echo(
            "Nothing is sealed with an old key. Once every hub runs with the new key first, the old"
            " one may leave store.encryption_keys. Keep it for as long as the backups made until"
            " now: only it opens them."
        )
