"""/v1/jobs: what the hub does and did, and a person's hands on it. Payloads are not shown."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.api import once, paging
from hub.api.endpoint import OPERATORS, STAFF, Answer, Ask, Do, Endpoints, Query
from hub.errors import Refused
from store import lanes, operate, reads
from store.tx import Tx

jobs = Endpoints()


class JobsQuery(Query):
    """Filters of the job list."""

    state: Literal[
        "waiting", "ready", "leased", "uncertain", "dead", "done", "skipped", "cancelled"
    ] | None = None  # fmt: skip
    connector: str | None = None
    event: str | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL
    after: str | None = None


@jobs.get("/jobs", may=STAFF, query=JobsQuery, gives={200: "Jobs"})
async def list_jobs(ask: Ask) -> Answer:
    """List jobs, newest first."""
    wanted: JobsQuery = ask.query
    about, cipher = paging.about(ask.request), ask.api.store.cipher
    before = paging.read_cursor(cipher, wanted.after, about) if wanted.after else None
    async with ask.api.store.read() as connection:
        found = await reads.list_jobs(
            connection,
            state=wanted.state,
            connector=wanted.connector,
            event=wanted.event,
            before=before,
            limit=wanted.limit + 1,
        )
    page = found[: wanted.limit]
    more = len(found) > wanted.limit
    cursor = paging.write_cursor(cipher, page[-1]["uid"], about) if more else None
    return paging.page(ask.request, page, cursor)


class LanesQuery(Query):
    """Filters of the list of lanes."""

    connector: str | None = None
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.MOST


@jobs.get("/lanes", may=STAFF, query=LanesQuery, gives={200: "Lanes"})
async def list_lanes(ask: Ask) -> Answer:
    """List lanes that stand still behind a dead or an uncertain job, and how many jobs wait."""
    wanted: LanesQuery = ask.query
    async with ask.api.store.read() as connection:
        found = await lanes.blocked(connection, connector=wanted.connector, limit=wanted.limit)
    return Answer(body={"items": found})


@jobs.get("/jobs/{uid}", may=STAFF, gives={200: "Job"})
async def get_job(ask: Ask) -> Answer:
    """Give one job with its attempts."""
    async with ask.api.store.read() as connection:
        found = await reads.one_job(connection, ask.part("uid"), ask.api.store.cipher)
    if found is None:
        raise Refused("not_found", "there is no such job")
    del found["payload"]  # personal data; shown only where a person asks and it is audited
    return Answer(body=found)


class Act(BaseModel):
    """What one does to a job; `note` is kept in the audit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] = ""


class Settlement(Act):
    """What became of an uncertain job."""

    state: Literal["done", "dead"]


class Moved(BaseModel):
    """The job that was moved: the one asked about, or one mapped anew in its place."""

    uid: str


def _moves(path: str, takes: type[Act]) -> Callable[[Do], Do]:
    return jobs.post(
        f"/jobs/{{uid}}/{path}",
        may=OPERATORS,
        takes=takes,
        gives={200: Moved},
        refuses=("invalid_transition",),
    )


@_moves("retry", Act)
async def retry_job(ask: Ask) -> Answer:
    """Make a dead job ready again, under its old key; one that never had an input is mapped now."""

    def work(tx: Tx) -> Answer:
        uid = operate.again(
            tx, ask.part("uid"), by=ask.who.id, rewrite=ask.api.rewrite, why=ask.item.note
        )
        return _moved(uid)

    return await once.change(ask, work)


@_moves("cancel", Act)
async def cancel_job(ask: Ask) -> Answer:
    """End a job that is not in flight; its lane goes on."""

    def work(tx: Tx) -> Answer:
        return _moved(operate.cancel(tx, ask.part("uid"), by=ask.who.id, why=ask.item.note))

    return await once.change(ask, work)


@_moves("settle", Settlement)
async def settle_job(ask: Ask) -> Answer:
    """Say what became of an uncertain job."""

    def work(tx: Tx) -> Answer:
        item: Settlement = ask.item
        uid = ask.part("uid")
        operate.settle_by_hand(tx, uid, item.state, by=ask.who.id, why=item.note)
        return _moved(uid)

    return await once.change(ask, work)


def _moved(uid: str) -> Answer:
    return Answer(body={"uid": uid}, subject=uid)
