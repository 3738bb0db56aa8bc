"""`hub serve`: run the hub until it is told to stop."""

import sys

from hub.cli import ground

app = ground.new("Run the hub until SIGTERM or SIGINT.")


@app.command()
def serve(config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Run the hub until SIGTERM or SIGINT."""
    with ground.kept():
        import asyncio  # noqa: PLC0415

        import uvloop  # noqa: PLC0415

        from hub import crash, log  # noqa: PLC0415
        from hub.serving import serve as run  # noqa: PLC0415
        from hub.traces import telling  # noqa: PLC0415

        crash.arm()
        loaded = ground.load(config)
        log.setup(text=sys.stderr.isatty())
    with telling(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(run(loaded, lambda: ground.load(config)))
