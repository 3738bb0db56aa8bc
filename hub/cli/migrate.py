"""`hub migrate`: bring the store's tables up to this release."""

import asyncio

import typer

from hub.cli import ground

app = ground.new("Bring the store up to this release.")


@app.command()
def migrate(config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Run the migrations the store lacks; a hub on SQLite must be stopped first."""
    from store.store import Store  # noqa: PLC0415

    before, after = asyncio.run(Store.migrate(ground.load(config).store.url))
    typer.echo(f"at {after}" if before == after else f"{before or 'empty'} -> {after}")
