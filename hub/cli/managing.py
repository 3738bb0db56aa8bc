"""`hub webhooks plan|apply`: the providers' webhook endpoints beside what the hub needs."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground
from hub.errors import CallError, HubError
from hub.model import Json

if TYPE_CHECKING:
    from hub.config import Config
    from hub.managing import Managing

COLUMNS = ("connector", "does", "url", "events", "why")
Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="Only this connector; else all with webhooks.manage."),
]
Rows = list[dict[str, Json]]


def plan(
    name: Name = None,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Show what would change at the providers' webhook endpoints; exit 1 where something would.

    What is not ours is left alone, and nothing is ever deleted.
    """
    _run(ground.load(config), name, apply=False, as_json=as_json)


def apply(
    name: Name = None,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Add and mend webhook endpoints at the providers; exit 1 where something is left to do.

    The secret of a new one is kept, encrypted, in the store, and accepted from then on.
    """
    _run(ground.load(config), name, apply=True, as_json=as_json)


def _run(config: "Config", name: str | None, *, apply: bool, as_json: bool) -> None:
    names = _chosen(config, name, apply=apply)
    rows, left = asyncio.run(_looked(config, names, apply=apply))
    if as_json:
        ground.print_json(rows)
    else:
        shown: Rows = [row | {"events": ", ".join(row["events"]) or None} for row in rows]
        ground.show(shown, COLUMNS, as_json=False)
        does = "left to do by hand" if apply else "to do: hub webhooks apply"
        typer.echo(f"{left} {does}" if left else "all is as it should be", err=True)
    if left:
        raise typer.Exit(1)


def _chosen(config: "Config", name: str | None, *, apply: bool) -> list[str]:
    """Give the connectors to look at.

    Raises:
        HubError: There is none of that name, it cannot be managed, or nobody may ask it.
    """
    from hub.config import standin  # noqa: PLC0415
    from hub.subscriptions import Subscribes  # noqa: PLC0415

    found = config.connectors
    names = [n for n, one in found.items() if one.manage != "off"] if name is None else [name]
    for each in names:
        if (one := found.get(each)) is None:
            raise HubError(f"there is no connector {each} (have: {', '.join(sorted(found))})")
        if not issubclass(one.cls, Subscribes):
            raise HubError(f"the webhooks of {one.type} are set up at the provider")
        if not one.secrets or config.service.public_url is None:
            raise HubError(f"{each} takes no webhooks, or service.public_url is not set")
        if apply and one.manage == "off":
            raise HubError(f"connectors.{each}.webhooks.manage is off: set it to plan or apply")
        if config.outbound != "live" and not standin.local(one):
            text = f"service.outbound is {config.outbound}: {each} may not be asked"
            raise HubError(f"{text}; set it to live to do so")
    return names


async def _looked(config: "Config", names: list[str], *, apply: bool) -> tuple[Rows, int]:
    """Look at each; give what was found and done, and how much is left."""
    from hub import parts  # noqa: PLC0415
    from hub.http import Outbound  # noqa: PLC0415

    rows: Rows = []
    left = 0
    async with ground.opened(config) as store, Outbound(store.clock) as out:
        made = parts.accounts(config, out)
        managing = parts.managing(config, store, made, store.clock)
        for name in names:
            found, more = await _one(managing, name, apply=apply)
            rows += found
            left += more
    return rows, left


async def _one(managing: "Managing", name: str, *, apply: bool) -> tuple[Rows, int]:
    try:
        result = await managing.at_hand(name, apply=apply, by=ground.me())
    except CallError as error:
        return [_failed(name, str(error))], 1
    if result is None:
        return [_failed(name, "a running hub is at it: try again soon")], 1
    return [step.shown(name) for step in result.steps], len(result.left)


def _failed(name: str, why: str) -> dict[str, Json]:
    return {"connector": name, "does": "failed", "url": None, "endpoint": None, "events": [],
            "why": why}  # fmt: skip
