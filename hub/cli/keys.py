"""`hub keys`: API keys, shown once when they are made."""

from typing import Annotated, Any, Literal

import typer

from hub.cli import ground
from hub.errors import HubError
from hub.model import Json, rfc3339

app = ground.new("List API keys; create or revoke one.", lists=True)
COLUMNS = ("id", "role", "scopes", "title", "created_at", "last_used_at", "revoked_at")
Role = Literal["admin", "shop", "support", "readonly"]


@app.callback()
def keys(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List API keys; their texts are not kept."""
    if ctx.invoked_subcommand is not None:
        return
    from store.keys import list_keys  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            found = await list_keys(connection)
        return [{c: _plain(getattr(key, c)) for c in COLUMNS} for key in found]

    ground.show(ground.with_store(config, work), COLUMNS, as_json=as_json)


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    title: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Keep it to this resource, such as orders:read.")
    ] = None,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Make a key and print it once."""
    from store.keys import create_key  # noqa: PLC0415

    async def work(store: Any) -> dict[str, str]:
        return dict(await store.write(lambda tx: create_key(tx, role, title, scopes=scope or ())))

    made = ground.with_store(config, work)
    if as_json:
        ground.print_json({name: made[name] for name in ("id", "key", "role")})
    else:
        typer.echo(f"{made['key']}\n\n{made['id']}, role {made['role']}; shown only this once.")


@app.command()
def revoke(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The key's id, key_…")],
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """End a key at once."""
    from store.keys import revoke_key  # noqa: PLC0415

    async def work(store: Any) -> bool:
        return bool(await store.write(lambda tx: revoke_key(tx, ident)))

    if not ground.with_store(config, work):
        raise HubError(f"there is no living key {ident}")
    typer.echo(f"{ident} is revoked")


def _plain(value: Any) -> Json:
    if isinstance(value, tuple):
        return " ".join(value) or None
    return rfc3339(value) if hasattr(value, "isoformat") else value
