"""What only a person can settle is said to one: open cases, and sends of which nobody knows.

Each node looks at the last minutes; what it has said it does not say again.
"""

from datetime import datetime, timedelta

from hub import alerts
from hub.model import Job
from store import cases
from store.store import Store

LOOK_BACK = timedelta(minutes=15)
MANY = 20


class Warnings:
    """Tells of what has come up since it last looked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._told: dict[str, datetime] = {}

    async def of_cases(self, now: datetime) -> None:
        """Tell of cases newly opened; of very many at once only how many."""
        since = now - LOOK_BACK
        rows = await self.store.look(lambda tx: cases.opened_since(tx, since, limit=1000))
        fresh = [row for row in rows if self._new(row.id, now)]
        for row in fresh[:MANY]:
            text = f"{row.kind} about {row.order_id or row.subject}"
            alerts.tell("case.opened", about=row.id, text=text, fix=f"hub cases show {row.id}")
        if len(fresh) > MANY:
            text = f"{len(fresh) - MANY} more cases were opened"
            alerts.tell("case.opened", about="cases", text=text, fix="hub cases")
        self._told = {about: at for about, at in self._told.items() if at > now - 2 * LOOK_BACK}

    def of_uncertain(self, jobs: list[Job], now: datetime) -> None:
        """Tell of sends that nothing has settled in time, each once a day."""
        for job in jobs:
            sent = job.first_sent_at or job.created_at
            if now - sent > LOOK_BACK and self._new(job.uid, now, again=timedelta(days=1)):
                text = f"{job.connector}.{job.action} was sent, and nobody knows"
                fix = f"hub jobs show {job.uid}; hub jobs settle {job.uid} done"
                alerts.tell("job.uncertain", about=job.uid, text=text, fix=fix)

    def _new(self, about: str, now: datetime, *, again: timedelta = 2 * LOOK_BACK) -> bool:
        last = self._told.get(about)
        if last is not None and now - last < again:
            return False
        self._told[about] = now
        return True
