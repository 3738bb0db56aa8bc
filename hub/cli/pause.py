"""`hub connectors status|pause|resume`: the configured connectors, and holding one's jobs."""

import asyncio
from typing import Annotated, Any

import typer

from hub.cli import ground, subscribers
from hub.errors import HubError
from hub.model import Json, rfc3339

COLUMNS = ("name", "type", "paused", "held", "waiting", "ready", "uncertain", "dead")
RESTORED = "the store was restored: hub resume --after-restore"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name in config.yaml.")]


def status(config: ground.ConfigFile = ground.DEFAULT, as_json: ground.AsJson = False) -> None:
    """List the configured connectors: paused by whom, held why, and what waits."""
    from store.pauses import accounts_shown  # noqa: PLC0415
    from store.restored import pending  # noqa: PLC0415

    read = ground.load(config)

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            found = await accounts_shown(connection)
        last = await store.look(pending)
        held = {"held_reason": RESTORED, "held_since": rfc3339(last.at)} if last else {}
        return [
            {"name": name, "type": made.type, "paused_in_config": made.paused}
            | found.get(name, {"jobs": {}})
            | held
            for name, made in read.connectors.items()
        ]

    rows = asyncio.run(ground.on_store(read, work))
    ground.show(rows if as_json else [_row(row) for row in rows], COLUMNS, as_json=as_json)


def pause(name: Name, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Hold a connector's jobs until it is resumed; its webhooks are still stored."""
    from store import pauses  # noqa: PLC0415

    subscribers.not_one_account(name)
    _change(config, name, lambda tx, account: pauses.pause(tx, account, by=ground.me()))
    typer.echo(f"{name} is paused")


def resume(name: Name, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Let a paused connector's jobs go on; the pause used up none of their time."""
    from store import pauses  # noqa: PLC0415

    lasted = _change(config, name, lambda tx, account: pauses.resume(tx, account, by=ground.me()))
    typer.echo(f"{name} goes on; it was paused for {lasted}")


def _change(path: Any, name: str, work: Any) -> Any:
    read = ground.load(path)
    if name not in read.connectors:
        have = ", ".join(sorted(read.connectors)) or "none"
        raise HubError(f"there is no connector {name} (have: {have})")
    return asyncio.run(ground.on_store(read, lambda store: store.change(work, name)))


def _row(row: dict[str, Json]) -> dict[str, Json]:
    """Give a row of the table, for people."""
    paused = "in config.yaml" if row["paused_in_config"] else None
    if row.get("paused_at"):
        paused = f"by {row['paused_by']} since {row['paused_at']}"
    return {**row, **row["jobs"], "paused": paused, "held": row.get("held_reason")}
