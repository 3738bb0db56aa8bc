"""Which fresh jobs this node begins at once: as many as its gates have room for at this moment.

Gates are the loop's; the writer asks from its own thread. So the loop offers room, the writer takes
of the offer, and while a claim is under way it has the room instead: all of it where it may find
work, half of it elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from hub.breaker import Gate
from hub.model import Job, NewJob
from store.ceilings import CeilingOf
from store.claims import Room


class Births:
    """The room this node offers to jobs that are written just now; see store.births.

    Args:
        begin: Begins jobs that are committed, in the room kept for them.
    """

    def __init__(
        self,
        gates: Mapping[str, Gate],
        *,
        node: str,
        lease: timedelta,
        ceiling_of: CeilingOf,
        begin: Callable[[Job], None],
    ) -> None:
        self.gates, self.node, self.lease = gates, node, lease
        self.ceiling_of, self._begin = ceiling_of, begin
        self._lock = Lock()
        self._open = False
        self._offers: dict[str, Room] = {}
        self._kept: Counter[tuple[str, str]] = Counter()

    # -- on the loop -------------------------------------------------------------------------------
    def open(self, now: datetime) -> None:
        """Offer what room there is now."""
        with self._lock:
            self._open = True
            self._offers = {name: self._room(name, now) for name in self.gates}

    def offer(self, account: str, now: datetime) -> None:
        """Offer what room an account has now, unless a claim counts on it."""
        with self._lock:
            if self._open:
                self._offers[account] = self._room(account, now)

    def shut(self, now: datetime, *, idle: Container[str] = ()) -> dict[str, Room]:
        """Offer no more; give the room a claim has beside what is kept.

        Args:
            idle: Accounts of which it will hardly find work: half of their room is offered on.
        """
        with self._lock:
            self._open = False
            self._offers.clear()
            rooms = {name: self._room(name, now, its.ahead) for name, its in self.gates.items()}
            for name in list(rooms):
                if name in idle and not rooms[name].actions:
                    rooms[name], self._offers[name] = rooms[name].halves()
            return rooms

    def kept(self) -> bool:
        """Say whether room is kept for jobs whose commit is under way."""
        with self._lock:
            return self._kept.total() > 0

    def begin(self, jobs: Sequence[Job]) -> None:
        """Begin jobs that are committed."""
        for job in jobs:
            self._begin(job)
        self.back(jobs)

    def _room(self, name: str, now: datetime, ahead: float = 0.0) -> Room:
        room = self.gates[name].rooms(now, ahead=ahead)
        kept = Counter({action: n for (of, action), n in self._kept.items() if of == name and n})
        return room.less(kept) if kept else room

    # -- in a transaction --------------------------------------------------------------------------
    def until(self, now: datetime) -> datetime:
        """Give when a lease of now ends."""
        return now + self.lease

    def grant(self, job: NewJob) -> bool:
        """Say whether there is room for a job, and keep that room for it."""
        with self._lock:
            offer = self._offers.get(job.account)
            if offer is None or offer.most <= 0 or offer.actions.get(job.action, 1) <= 0:
                return False
            gate = self.gates[job.account]
            if gate.paused or gate.held is not None:
                return False
            if self.ceiling_of(job.route, job.connector, job.action) is not None:
                return False
            self._offers[job.account] = offer.less({job.action: 1})
            self._kept[job.account, job.action] += 1
        return True

    def back(self, jobs: Sequence[NewJob | Job]) -> None:
        """Free the room that was kept for jobs; it is offered again when the loop says so."""
        with self._lock:
            for job in jobs:
                self._kept[job.account, job.action] -= 1
