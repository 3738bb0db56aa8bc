"""`hub pull`: take a provider's events from its own list, once or every two seconds."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground
from hub.cli.many import counted, moment
from hub.errors import CallError, HubError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.pull import Puller

AGAIN = 2.0
app = ground.new("Take a provider's events from its own list.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector's name in config.yaml.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on, every two seconds.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", parser=moment, metavar="30d", help="Read again what was told since then."
    ),
]


@app.command()
def pull(
    name: Name,
    follow: Follow = False,
    since: Since = None,
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Take what NAME has to tell, as if its webhooks had come; nothing is taken twice.

    Beside a running hub, which does the jobs that follow. With --follow, neither a tunnel nor a
    public URL is needed to develop with a provider's test account.
    """
    asyncio.run(_pull(ground.load(config), name, follow=follow, since=since))


async def _pull(config: "Config", name: str, *, follow: bool, since: datetime | None) -> None:
    async with ground.pulling(config) as puller:
        if name not in puller.follows:
            have = ", ".join(sorted(puller.follows)) or "none"
            raise HubError(f"there is no source of events called {name} (have: {have})")
        puller.follows = {name: puller.follows[name]}
        await puller.know()
        if since is not None:
            await puller.rewind(name, since)
        await _once(puller, name)
        while follow:
            await puller.clock.sleep(AGAIN)
            await _once(puller, name)


async def _once(puller: "Puller", name: str) -> None:
    try:
        count = await puller.pull(name, forced=True)
    except CallError as error:
        raise HubError(f"{name} did not answer: {error}") from error
    if count is None:
        typer.echo("another node is reading it", err=True)
    else:
        typer.echo(f"{counted(count, 'new event')} of {name}")
