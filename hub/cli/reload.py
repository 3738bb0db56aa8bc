"""`hub reload`: ask the running hub to read its configuration anew."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import ground
from hub.errors import ConfigError, Fault, HubError
from hub.model import Json, read_json

if TYPE_CHECKING:
    from hub.config import Config

app = ground.new("Ask the running hub to read its configuration anew.")
WITHIN = 60.0


@app.command()
def reload(
    url: Annotated[
        str | None, typer.Option(help="Where the hub listens; else as the configuration says.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="HUB_API_KEY", help="An admin's key; else one is made for this call."),
    ] = None,
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Ask the running hub to read its configuration anew; with a fault nothing changes there."""
    loaded = ground.load(config)  # its faults are told here, without asking
    status, told = asyncio.run(_asked(loaded, url, key))
    if status == 200:
        typer.echo(f"runs {told['hash'][:12]} since {told['since']}")
        for one in told.get("warnings") or []:
            typer.echo(str(Fault(**one, warning=True)), err=True)
        return
    errors = told.get("errors") or []
    if errors and "pointer" in errors[0]:
        raise ConfigError(*(_fault(error) for error in errors))
    raise HubError(f"the hub answered {status}: {told.get('detail', '')}")


def _fault(error: dict[str, Any]) -> Fault:
    file, line, col = str(error["pointer"]).rsplit(":", 2)
    text = str(error["detail"]).partition("] ")[2].partition("\n")[0]
    fix = str(error["detail"]).partition("fix: ")[2]
    return Fault(code=error["code"], text=text, file=file, line=int(line), col=int(col), fix=fix)


async def _asked(config: "Config", url: str | None, key: str | None) -> tuple[int, Json]:
    """Ask with the key that was given, or with one that lives as long as the call."""
    from store.keys import create_key, revoke_key  # noqa: PLC0415

    listens = config.service.listen
    base = url or f"http://{listens.host}:{listens.port}"
    if key is not None:
        return await _post(base, key)
    async with ground.opened(config) as store:
        made = await store.write(lambda tx: create_key(tx, "admin", f"hub reload, {ground.me()}"))
        try:
            return await _post(base, made["key"])
        finally:
            await store.write(lambda tx: revoke_key(tx, made["id"]))


async def _post(base: str, key: str) -> tuple[int, Json]:
    import aiohttp  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {key}"}
    limit = aiohttp.ClientTimeout(total=WITHIN)
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=limit) as http,
            http.post(f"{base}/v1/config/reload", json={}) as answer,
        ):
            return answer.status, read_json(await answer.read())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise HubError(f"no hub answers at {base}") from error
