"""`hub migrate`: bring the store's tables up to this release."""

import typer

from hub.cli import ground

app = ground.new("Bring the store up to this release.")


@app.command()
def migrate(config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Run the migrations the store lacks; a running hub must be stopped first."""
    from store import engine, migrate  # noqa: PLC0415

    url = engine.parse(ground.load(config).store.url)
    lock = engine.Lock(url)
    lock.take()
    try:
        writing = engine.writing(url)
        before, _ = migrate.state(writing)
        migrate.upgrade(writing)
        after, _ = migrate.state(writing)
    finally:
        lock.release()
    typer.echo(f"at {after}" if before == after else f"{before or 'empty'} -> {after}")
