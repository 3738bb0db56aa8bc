"""/v1/jobs: what the hub does and did, for staff. Payloads are not shown."""

from typing import Annotated, Literal

from pydantic import Field

from hub.api import paging
from hub.api.endpoint import STAFF, Answer, Ask, Endpoints, Query
from hub.errors import Refused
from store import reads

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


@jobs.get("/jobs/{uid}", may=STAFF, gives={200: "Job"})
async def get_job(ask: Ask) -> Answer:
    """Give one job with its attempts."""
    async with ask.api.store.read() as connection:
        found = await reads.one_job(connection, ask.part("uid"), ask.api.store.cipher)
    if found is None:
        raise Refused("not_found", "there is no such job")
    del found["payload"]  # personal data; shown only where a person asks and it is audited
    return Answer(body=found)
