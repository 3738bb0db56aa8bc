"""`hub webhooks`: the secrets that let requests in, and those that were refused."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground, managing, subscribers
from hub.errors import HubError
from hub.model import Json, read_json, rfc3339

if TYPE_CHECKING:
    from hub.config import Config

AGAIN = 2.0
WITHIN = 10.0
COLUMNS = ("connector", "url", "secret", "until", "last_seen")
app = ground.new("List webhooks, their secrets and when each was last seen.", lists=True)
for command in (managing.plan, managing.apply):
    app.command()(command)
app.add_typer(subscribers.app, name="subscribers")
Key = Annotated[
    str,
    typer.Option("--key", envvar="HUB_API_KEY", help="An API key of staff: hub keys create."),
]


@app.callback()
def webhooks(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """List each connector's address and secrets; one not seen for long may go."""
    if ctx.invoked_subcommand is not None:
        return
    from hub.parts import webhook_url  # noqa: PLC0415
    from store.secret_uses import last_seen  # noqa: PLC0415

    read = ground.load(config)

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            seen = await last_seen(connection)
        return [
            {
                "connector": name,
                "url": webhook_url(read, name),
                "secret": secret.value.name,
                "until": secret.until.isoformat() if secret.until else None,
                "last_seen": rfc3339(at) if (at := seen.get((name, secret.value.name))) else None,
            }
            for name, connector in read.connectors.items()
            for secret in connector.secrets
        ]

    ground.show(asyncio.run(ground.on_store(read, work)), COLUMNS, as_json=as_json)


@app.command()
def watch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connector's name.")],
    key: Key = "",
    url: Annotated[str | None, typer.Option(help="Of the node to ask; else its listen.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on, every two seconds.")] = False,
    config: ground.ConfigFile = ground.DEFAULT,
    as_json: ground.AsJson = False,
) -> None:
    """Show the last 100 webhooks that a running hub refused, and the likely cause of each.

    They are in that hub's memory alone, so it is asked, as any caller of its API would.
    """
    if not key:
        raise HubError("the running hub wants a key: --key, or HUB_API_KEY (hub keys create)")
    base = url or _listens(ground.load(config))
    asyncio.run(_watch(f"{base.rstrip('/')}/v1/webhooks/{name}/refusals", key, follow, as_json))


async def _watch(url: str, key: str, follow: bool, as_json: bool) -> None:
    known: list[Json] = []
    while True:
        found = await _asked(url, key)
        news = [one for one in found if one not in known]
        if news or not known:
            _show(news, as_json=as_json)
        known = found
        if not follow:
            return
        await asyncio.sleep(AGAIN)


async def _asked(url: str, key: str) -> list[Json]:
    """Ask the running hub.

    Raises:
        HubError: It is not there, or refuses.
    """
    import aiohttp  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {key}"}
    limits = aiohttp.ClientTimeout(total=WITHIN)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            told = read_json(await answer.read())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise HubError(f"no hub answers at {url}") from error
    if answer.status != 200:
        raise HubError(f"the hub refuses: {told.get('detail') or told.get('title')}")
    return list(told["data"])


def _show(found: list[Json], *, as_json: bool) -> None:
    if as_json:
        return ground.print_json(found)
    for one in reversed(found):
        off = "" if one["offset_s"] is None else f", clock {float(one['offset_s']):+g} s"
        typer.echo(f"{_time(one['at'])}  {one['reason']}: {one['cause']}")
        typer.echo(f"    {one['length']} bytes, sha256 {one['sha256'][:16]}…{off}")
        typer.echo(f"    headers: {', '.join(one['headers'])}")
    if not found:
        typer.echo("nothing was refused since the hub began")
    return None


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _listens(config: "Config") -> str:
    listens = config.service.listen
    host = f"[{listens.host}]" if ":" in listens.host else listens.host
    return f"http://{host}:{listens.port}"
