"""`hub pull`: take a provider's events from its own list, or run a sync; list what is read.

A name is a connector's or a sync's; of the two the sync's goes first.
"""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import ground
from hub.cli.many import counted, moment
from hub.cli.pulled import COLUMNS, rows_of
from hub.errors import CallError, HubError

if TYPE_CHECKING:
    from hub.config import Config
    from hub.pull import Puller
    from hub.syncing import Syncer

AGAIN = 2.0
app = ground.new("Take a provider's events from its own list; run a sync.")
Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A connector or a sync in config.yaml; none: list all."),
]
Follow = Annotated[bool, typer.Option("--follow", help="Go on, every two seconds.")]
Everything = Annotated[
    bool, typer.Option("--all", help="Of a sync: read and send everything, changed or not.")
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", parser=moment, metavar="30d", help="Of a connector: read again from then on."
    ),
]


@app.command()
def pull(
    name: Name = None,
    follow: Follow = False,
    since: Since = None,
    everything: Everything = False,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Take what connector NAME has to tell, as if its webhooks had come, or run sync NAME now.

    Nothing is taken twice. Beside a running hub, which does the jobs that follow. With --follow,
    neither a tunnel nor a public URL is needed to develop with a provider's test account. Without
    a name: what is read, when it was last, when it is due, and how far it came.
    """
    read = ground.load(config)
    if name is None:
        ground.show(asyncio.run(rows_of(read)), COLUMNS, as_json=as_json)
    elif name in {sync.name for sync in read.syncs}:
        if since is not None:
            raise typer.BadParameter("--since is for a connector's events; a sync takes --all")
        asyncio.run(_sync(read, name, follow=follow, everything=everything))
    else:
        if everything:
            raise typer.BadParameter("--all is for a sync; a connector's events take --since")
        asyncio.run(_pull(read, name, follow=follow, since=since))


async def _pull(config: "Config", name: str, *, follow: bool, since: datetime | None) -> None:
    async with ground.pulling(config) as puller:
        if name not in puller.follows:
            have = ", ".join(sorted([*puller.follows, *(s.name for s in config.syncs)])) or "none"
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
    _tell(count, "new event", name)


async def _sync(config: "Config", name: str, *, follow: bool, everything: bool) -> None:
    async with ground.syncing(config) as syncer:
        source = syncer.syncs[name].connector
        ground.askable(config, [source] if source in config.connectors else [])
        await syncer.know()
        if everything:
            await syncer.anew(name)
        await _run(syncer, name)
        while follow:
            await syncer.clock.sleep(AGAIN)
            await _run(syncer, name)


async def _run(syncer: "Syncer", name: str) -> None:
    try:
        count = await syncer.run(name, forced=True)
    except CallError as error:
        raise HubError(f"{name} was cut short: {error}") from error
    _tell(count, "job", name)


def _tell(count: int | None, what: str, name: str) -> None:
    if count is None:
        typer.echo("another node is reading it", err=True)
    else:
        typer.echo(f"{counted(count, what)} of {name}")
