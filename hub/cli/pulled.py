"""What `hub pull` lists: every source that is read, with what became of it so far."""

from typing import TYPE_CHECKING

from hub.cli import ground
from hub.model import Json, rfc3339

if TYPE_CHECKING:
    from hub.config import Config
    from store.runs import Shown
    from store.store import Store
    from store.tx import Tx

COLUMNS = ("name", "reads", "does", "schedule", "last", "jobs", "next", "state")


async def rows_of(config: "Config") -> list[dict[str, Json]]:
    """Give a row for each sync, and for each connector whose events can be pulled."""
    from hub.sources import EVENTS  # noqa: PLC0415 -- only commands that need it pay for it
    from hub.syncing import where  # noqa: PLC0415
    from store import runs  # noqa: PLC0415
    from store.cursors import Source  # noqa: PLC0415

    listed = [
        (
            {
                "name": sync.name,
                "reads": f"{sync.connector}.{sync.source}",
                "does": f"{sync.rule.connector}.{sync.rule.action.name}",
                "schedule": str(sync.schedule),
            },
            where(sync),
        )
        for sync in config.syncs
    ]
    for name, one in config.connectors.items():
        if EVENTS in one.cls.sources():
            every = one.reconcile.every
            pace = f"every {every.total_seconds():g}s" if every else "on-demand"
            row = {"name": name, "reads": f"{name}.{EVENTS}", "does": "inbox", "schedule": pace}
            listed.append((row, Source(name)))

    def look(tx: "Tx") -> list[dict[str, Json]]:
        return [row | _state(runs.shown(tx, source)) for row, source in listed]

    async def work(store: "Store") -> list[dict[str, Json]]:
        return await store.look(look)

    return await ground.on_store(config, work)


def _state(shown: "Shown | None") -> dict[str, Json]:
    """Say when it was read, when it is due, and whether it is read now or was cut short."""
    if shown is None:
        empty = ("last", "next", "jobs", "cursor", "error")
        return dict.fromkeys(empty) | {"state": "not yet known: start the hub"}
    state = "cut short, goes on" if shown.began_at else None
    if shown.node is not None:
        state = f"read by {shown.node}"
    elif shown.error is not None:
        state = shown.error
    return {
        "last": shown.read_at and rfc3339(shown.read_at),
        "next": rfc3339(shown.due_at) if shown.due_at.year < 3000 else None,
        "jobs": shown.jobs,
        "cursor": shown.cursor,
        "error": shown.error,
        "state": state,
    }
