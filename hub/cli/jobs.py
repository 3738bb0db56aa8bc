"""`hub jobs`: what is to be done, what was done, and why something was not."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hub.cli import ground
from hub.cli.many import Yes, agreed, counted, filtered, one_of, tell
from hub.errors import HubError
from hub.model import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.config import Config
    from hub.routing import Router
    from store.bulk import Jobs
    from store.store import Store
    from store.tx import Tx

    Work = Callable[[Tx, str, str], str]

app = ground.new("List jobs; show, retry, cancel or settle one.", lists=True)
COLUMNS = ("uid", "state", "connector", "action", "route", "attempt", "due_at", "error")
LANES = ("connector", "lane", "job", "state", "route", "waiting", "error")
State = Annotated[str | None, typer.Option(help="waiting, ready, leased, uncertain, dead, done …")]
Uid = Annotated[str, typer.Argument(help="The job's uid, job_…")]
OneUid = Annotated[str | None, typer.Argument(metavar="UID", help="The job's uid, job_…")]
Words = Annotated[
    list[str], typer.Argument(metavar="[UID] done|dead", help="What became of it, or of them.")
]
FILTERS = ("state", "connector", "action", "route", "type", "error", "since", "until")


def _jobs() -> "type[Jobs]":
    from store.bulk import Jobs  # noqa: PLC0415 -- only commands that need it pay for it

    return Jobs


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


@app.command(name="lanes")
def list_lanes(
    config: ground.ConfigFile = ground.DEFAULT,
    connector: Annotated[str | None, typer.Option(help="Only this connector's.")] = None,
    limit: ground.Limit = 50,
    as_json: ground.AsJson = False,
) -> None:
    """List lanes that stand still behind a dead or an uncertain job."""
    from store import lanes  # noqa: PLC0415

    async def work(store: Any) -> list[dict[str, Json]]:
        async with store.read() as connection:
            return await lanes.blocked(connection, connector=connector, limit=limit)

    ground.show(ground.with_store(config, work), LANES, as_json=as_json)


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
@filtered(_jobs, *FILTERS)
def retry(
    uid: OneUid = None,
    yes: Yes = False,
    config: ground.ConfigFile = ground.DEFAULT,
    *,
    which: "Jobs | None",
) -> None:
    """Make dead jobs ready again: one, or all that a filter finds."""
    from store import operate  # noqa: PLC0415

    def again(router: "Router") -> "Work":
        return lambda tx, of, why: operate.again(
            tx, of, by=ground.me(), rewrite=router.job_of, why=why
        )

    _do(Deed(again, "ready again", ("dead",)), uid, which, config, yes=yes)


@app.command()
@filtered(_jobs, *FILTERS)
def cancel(
    uid: OneUid = None,
    yes: Yes = False,
    config: ground.ConfigFile = ground.DEFAULT,
    *,
    which: "Jobs | None",
) -> None:
    """End jobs that are not in flight: one, or all that a filter finds."""
    from store import operate  # noqa: PLC0415

    def end(_: "Router") -> "Work":
        return lambda tx, of, why: operate.cancel(tx, of, by=ground.me(), why=why)

    states = ("waiting", "ready", "dead", "uncertain")
    _do(Deed(end, "cancelled", states), uid, which, config, yes=yes)


@app.command()
@filtered(_jobs, *FILTERS)
def settle(
    words: Words,
    yes: Yes = False,
    config: ground.ConfigFile = ground.DEFAULT,
    *,
    which: "Jobs | None",
) -> None:
    """Say what became of uncertain jobs: of one, or of all that a filter finds."""
    from store import operate  # noqa: PLC0415

    *uids, state = words
    if state not in ("done", "dead") or len(uids) > 1:
        raise typer.BadParameter("say [UID] done, or [UID] dead")
    became: Literal["done", "dead"] = "done" if state == "done" else "dead"

    def told(_: "Router") -> "Work":
        return lambda tx, of, why: operate.settle_by_hand(tx, of, became, by=ground.me(), why=why)

    deed = Deed(told, f"settled as {state}", ("uncertain",))
    _do(deed, uids[0] if uids else None, which, config, yes=yes)


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to jobs: how, what it is called when done, and in which states it can be."""

    work: "Callable[[Router], Work]"
    told: str
    states: tuple[str, ...]


def _do(deed: Deed, uid: str | None, which: "Jobs | None", path: Path, *, yes: bool) -> None:
    one_of(uid, which, "job")
    asyncio.run(_run(deed, uid, which, ground.load(path), yes=yes))


async def _run(
    deed: Deed, uid: str | None, which: "Jobs | None", config: "Config", *, yes: bool
) -> None:
    from hub.routing import Router  # noqa: PLC0415

    work = deed.work(Router(config.routes, syncs=(sync.rule for sync in config.syncs)))
    async with ground.opened(config) as store:
        if which is None:
            made = await store.change(lambda tx, of: work(tx, of, ""), uid or "")
            typer.echo(f"{uid} is {deed.told}" + (f", as {made}" if made != uid else ""))
        else:
            await _many(store, deed, work, which, yes=yes)


async def _many(store: "Store", deed: Deed, work: "Work", which: "Jobs", *, yes: bool) -> None:
    """Count what a filter finds, ask, then do it in small commits."""
    from store import bulk  # noqa: PLC0415

    if which.state is not None and which.state not in deed.states:
        able = ", ".join(deed.states)
        raise typer.BadParameter(f"a job that is {which.state} cannot be {deed.told} (can: {able})")
    async with store.read() as connection:
        uids = await bulk.find(connection, which, states=deed.states)
    if not uids:
        typer.echo(f"no job: {which}")
        return
    agreed(f"{counted(len(uids), 'job')} to be {deed.told}: {which}", yes=yes)
    tell(await bulk.each(store, uids, lambda tx, of: work(tx, of, str(which))), deed.told)
