"""`hub secrets`: making what config.yaml refers to."""

import typer

from hub.cli import ground

app = ground.new("Make keys and secrets.")


@app.callback()
def secrets() -> None:
    """Make keys and secrets."""


@app.command()
def new() -> None:
    """Make a key for store.encryption_keys: 32 random bytes in base64."""
    from store.crypto import new_key  # noqa: PLC0415

    typer.echo(new_key())
