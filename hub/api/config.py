"""/v1/config: which configuration runs since when, what was refused, and reading it anew."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hub.api.endpoint import STAFF, Answer, Ask, Endpoints, Query, Reloads
from hub.errors import ConfigError, Refused
from store import configs

config = Endpoints()
Environment = Literal["dev", "staging", "production"]


class FaultView(BaseModel):
    """One fault of a configuration: what, where, and how to mend it."""

    code: str
    text: str
    file: str
    line: int
    col: int
    fix: str


class RejectedView(BaseModel):
    """A configuration that was refused."""

    at: str
    faults: list[FaultView]


class ConfigView(BaseModel):
    """The configuration that runs, since when, and the newer one that was refused."""

    hash: str
    since: str
    node: str
    environment: Environment
    production: bool
    outbound: Literal["live", "sandbox", "hold"]
    warnings: list[FaultView]
    rejected: RejectedView | None


class ChangeView(BaseModel):
    """What became of a configuration, and through whom."""

    at: str
    what: Literal["started", "reloaded", "rejected"]
    hash: str | None
    who: str
    node: str
    faults: list[FaultView]


class HistoryView(BaseModel):
    """What became of configurations, the newest first."""

    items: list[ChangeView]


class HistoryQuery(Query):
    """How much of it."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@config.get("/config", may=STAFF, gives={200: ConfigView})
async def get_config(ask: Ask) -> Answer:
    """Say which configuration runs."""
    return Answer(body=_reloads(ask).shown())


@config.get("/config/history", may=STAFF, query=HistoryQuery, gives={200: HistoryView})
async def list_configs(ask: Ask) -> Answer:
    """Say what became of configurations."""
    async with ask.api.store.read() as connection:
        return Answer(body={"items": await configs.recent(connection, ask.query.limit)})


@config.post(
    "/config/reload", may=("admin",), takes=Nothing, gives={200: ConfigView}, key=None,
    refuses=("invalid_transition",),
)  # fmt: skip
async def reload_config(ask: Ask) -> Answer:
    """Read the configuration anew and put it in force; with a fault nothing changes."""
    reloads = _reloads(ask)
    try:
        await reloads.reload(ask.who.id)
    except ConfigError as error:
        errors = [
            {
                "pointer": f"{fault.file}:{fault.line}:{fault.col}",
                "code": fault.code,
                "detail": str(fault),
            }
            for fault in error.faults
            if not fault.warning
        ]
        text = f"the configuration has {len(errors)} faults; nothing has changed"
        raise Refused("validation_error", text, errors=errors) from error
    return Answer(body=reloads.shown())


def _reloads(ask: Ask) -> Reloads:
    if ask.api.reloads is None:
        raise Refused("not_found", "this hub has no configuration to show")
    return ask.api.reloads
