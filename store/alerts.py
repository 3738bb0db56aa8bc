"""What channels were told of troubles: each told once, by whichever node is first.

The rows are the fence: who inserts, changes or deletes one writes the job that tells it.
"""

from typing import Any

from sqlalchemy import and_, delete, select, update

from hub.alerting import Told, Trouble
from store.alert_schema import alerts
from store.schema import upserting
from store.tx import Tx


def told(tx: Tx) -> list[Told]:
    """Read all that was told of what stood at the last look."""
    return [Told(**row._asdict()) for row in tx.rows(select(alerts))]


def raise_it(tx: Tx, trouble: Trouble, channel: str) -> bool:
    """Note that a channel is told of a trouble; False where another node was first."""
    row = {
        "signal": trouble.signal,
        "about": trouble.about,
        "channel": channel,
        "since": trouble.since,
        "told_at": tx.now,
        "told": trouble.count,
        "seen": trouble.count,
        "most": trouble.count,
        "grown_at": tx.now,
        "until": trouble.until,
    }
    return tx.run(upserting(alerts).on_conflict_do_nothing(), row) > 0


def note(tx: Tx, before: Told, trouble: Trouble, *, again: bool) -> bool:
    """Note how a trouble stands now; False where another node has.

    Args:
        again: The channel is told of what has come since.
    """
    change: dict[str, Any] = {
        "seen": trouble.count,
        "most": max(before.most, trouble.count),
        "until": trouble.until,
    }
    if trouble.count > before.seen:
        change["grown_at"] = tx.now
    if again:
        change |= {"told": trouble.count, "told_at": tx.now}
    elif trouble.count < before.told:
        change["told"] = trouble.count  # what comes from here on is more
    return tx.run(update(alerts).where(_as_it_was(before)).values(change)) > 0


def end(tx: Tx, before: Told) -> bool:
    """Note that a trouble is over; False where another node has, or it stands again."""
    return tx.run(delete(alerts).where(_as_it_was(before))) > 0


def _as_it_was(before: Told) -> Any:
    its = (alerts.c.signal == before.signal, alerts.c.about == before.about)
    same = (alerts.c.seen == before.seen, alerts.c.told == before.told)
    until = alerts.c.until.is_(None) if before.until is None else alerts.c.until == before.until
    return and_(*its, alerts.c.channel == before.channel, *same, until)
