"""`hub webhooks subscribers`: who is sent our own webhooks; stopping one, and letting it go on."""

import asyncio
from typing import Annotated, Any

import typer

from hub.cli import ground
from hub.errors import HubError
from hub.model import Json, rfc3339
from hub.subscribers import CONNECTOR, account_of

COLUMNS = ("id", "url", "types", "managed", "disabled", "failing_since")
SENT = ("created_at", "type", "event", "state", "attempts", "last_status", "error", "id")
app = ground.new("List the subscribers to our own webhooks; stop one, let one go on.", lists=True)
Ident = Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.")]


@app.callback()
def subscribers(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List those of config.yaml and of the API: where each is, and how it does."""
    if ctx.invoked_subcommand is not None:
        return
    from store.subscribers import all_kept  # noqa: PLC0415

    read = ground.load(config)
    found = asyncio.run(ground.on_store(read, lambda store: store.look(all_kept)))
    ground.show([_row(kept) for kept in found], COLUMNS, as_json=as_json)


@app.command()
def deliveries(
    ident: Ident,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List what was sent to one and what waits for it, newest first."""
    from store.deliveries import list_deliveries  # noqa: PLC0415
    from store.subscribers import kept  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        await store.look(lambda tx: kept(tx, ident))
        async with store.read() as connection:
            return await list_deliveries(connection, account_of(ident), limit=limit)

    rows = asyncio.run(ground.on_store(ground.load(config), work))
    ground.show(rows, SENT, as_json=as_json)


@app.command()
def disable(
    ident: Ident,
    note: Annotated[str, typer.Option(help="Why; the API shows it.")] = "disabled by hand",
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Send nothing to one until it is enabled; what happens meanwhile is kept for it."""
    from store.subscribers import disable as stop  # noqa: PLC0415

    _change(config, lambda tx, _: stop(tx, ident, reason=note, by=ground.me()))
    typer.echo(f"{ident} is disabled; on again: hub webhooks subscribers enable {ident}")


@app.command()
def enable(ident: Ident, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Send to one again, what was kept first."""
    from store.subscribers import enable as go_on  # noqa: PLC0415

    _change(config, lambda tx, _: go_on(tx, ident, by=ground.me()))
    typer.echo(f"{ident} is enabled")


def not_one_account(name: str) -> None:
    """Refuse to pause what is no account by itself.

    Raises:
        HubError: It is the connector of all subscribers, each of which has its own.
    """
    if name == CONNECTOR:
        raise HubError(
            f"each subscriber of {name} has an account of its own: stop one with "
            f"hub webhooks subscribers disable ID, all with connectors.{name}.paused in config.yaml"
        )


def _change(path: Any, work: Any) -> None:
    asyncio.run(ground.on_store(ground.load(path), lambda store: store.change(work, None)))


def _row(kept: Any) -> dict[str, Json]:
    to = kept.subscriber
    disabled, failing = kept.disabled_at, kept.failing_since
    return {
        "id": to.id,
        "url": to.url,
        "types": ", ".join(to.types) or "all",
        "managed": to.managed,
        "disabled": f"{rfc3339(disabled)}: {kept.disabled_reason}" if disabled else None,
        "failing_since": rfc3339(failing) if failing else None,
    }
