"""`hub sandbox`: the providers' doubles on loopback, for demos, tests and a shop's own CI."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.sandbox import Double

app = ground.new("Serve the providers' doubles on loopback.")


@app.command()
def sandbox(
    types: Annotated[list[str] | None, typer.Argument(help="Connector types; else all.")] = None,
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.")] = 8090,
    plugins: Annotated[
        list[Path] | None, typer.Option(help="A folder of your own connectors; may repeat.")
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(help="TYPE=URL=SECRET: send this double's webhooks there, signed."),
    ] = None,
) -> None:
    """Serve the doubles until interrupted; the control API is below /_control."""
    from hub.doubles import double, with_double  # noqa: PLC0415
    from hub.secrets import Secret  # noqa: PLC0415

    try:
        folders = plugins or []
        doubles = {kind: double(kind, folders) for kind in types or with_double(folders)}
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    for told in endpoint or ():
        kind, _, rest = told.partition("=")
        url, _, secret = rest.partition("=")
        if kind not in doubles or not url or not secret:
            raise typer.BadParameter(f"--endpoint wants TYPE=URL=SECRET, got {kind}")
        doubles[kind].send_to(url, Secret(secret, kind))
    asyncio.run(_serve(doubles, port))


async def _serve(doubles: "Mapping[str, Double]", port: int) -> None:
    from aiohttp import web  # noqa: PLC0415

    from hub.doubles import application  # noqa: PLC0415
    from hub.serving import until_stopped  # noqa: PLC0415

    runner = web.AppRunner(application(doubles), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, taken = runner.addresses[0][:2]
    for kind in doubles:
        typer.echo(f"{kind:12} http://{host}:{taken}/{kind}")
    typer.echo(f"control      http://{host}:{taken}/_control")
    await until_stopped()
    await runner.cleanup()
