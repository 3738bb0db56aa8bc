"""`hub jobs`: what is to be done, what was done, and why something was not."""

from typing import Annotated, Any, Literal

import typer

from hub.cli import ground
from hub.errors import HubError
from hub.model import Json

app = ground.new("List jobs; show, retry, cancel or settle one.", lists=True)
COLUMNS = ("uid", "state", "connector", "action", "route", "attempt", "due_at", "error")
State = Annotated[str | None, typer.Option(help="waiting, ready, leased, uncertain, dead, done …")]
Uid = Annotated[str, typer.Argument(help="The job's uid, job_…")]


@app.callback()
def jobs(
    ctx: typer.Context,
    config: ground.ConfigFile = ground.DEFAULT,
    state: State = None,
    connector: Annotated[str | None, typer.Option(help="Only this connector's.")] = None,
    event: Annotated[str | None, typer.Option(help="Only those of this event.")] = None,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List jobs, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    from store import reads  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            return await reads.list_jobs(
                connection, state=state, connector=connector, event=event, limit=limit
            )

    ground.show(ground.with_store(config, work), COLUMNS, as_json=as_json)


@app.command()
def show(uid: Uid, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Show one job: payload, every attempt, why it ended."""
    from store import reads  # noqa: PLC0415

    async def work(store: Any) -> dict[str, Json] | None:
        async with store.read() as connection:
            return await reads.one_job(connection, uid, store.cipher)

    found = ground.with_store(config, work)
    if found is None:
        raise HubError(f"there is no job {uid}")
    ground.print_json(found)


@app.command()
def retry(uid: Uid, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """Make a dead job ready again, under its old key."""
    from store import operate  # noqa: PLC0415

    _do(config, lambda tx, of: operate.again(tx, of, by=ground.me()), uid, "is ready again")


@app.command()
def cancel(uid: Uid, config: ground.ConfigFile = ground.DEFAULT) -> None:
    """End a job that is not in flight."""
    from store import operate  # noqa: PLC0415

    _do(config, lambda tx, of: operate.cancel(tx, of, by=ground.me()), uid, "is cancelled")


@app.command()
def settle(
    uid: Uid,
    state: Annotated[Literal["done", "dead"], typer.Argument(help="What became of it.")],
    config: ground.ConfigFile = ground.DEFAULT,
) -> None:
    """Say what became of an uncertain job."""
    from store import operate  # noqa: PLC0415

    _do(
        config,
        lambda tx, of: operate.settle_by_hand(tx, of, state, by=ground.me()),
        uid,
        f"is {state}",
    )


def _do(config: Any, work: Any, uid: str, told: str) -> None:
    async def change(store: Any) -> None:
        await store.change(work, uid)

    ground.with_store(config, change)
    typer.echo(f"{uid} {told}")
