"""Pulling: what a provider did not tell us is read from its own list of events.

What is read goes through the same inbox, under the same keys, as its webhooks: one that came is a
duplicate, one that did not is told now, as a backfill. Cursor and rows are one commit.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hub import log
from hub.clock import Clock
from hub.errors import HubError, RateLimited
from hub.ids import new_id
from hub.model import Json, Request, rfc3339, write_json
from hub.perform import Account
from hub.sources import EVENTS, Page
from hub.syncs import LATER
from store import cursors, inbox
from store.cursors import Source
from store.inbox import Receipt
from store.store import Store
from store.tx import Tx
from webhooks.doors import Door
from webhooks.receive import Receiver

EVERY = 5.0
LEASE = timedelta(seconds=90)
AFTER_A_FAILURE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a connector's events are followed.

    Args:
        every: Until they are read again.
        overlap: How far to read back before where the last reading ended.
    """

    door: Door
    account: Account
    every: timedelta
    overlap: timedelta


async def spared(
    account: Account, ask: Callable[[], Awaitable[Page]], name: str, clock: Clock
) -> Page:
    """Ask for a page of the source `name`, within what the account can spare.

    Raises:
        CallError: The provider did not answer, or the account has no calls to spare.
    """
    gate = account.gate
    if gate.rooms(clock.now()).syncs <= 0:
        raise RateLimited("the account has no calls to spare")
    gate.take(name, LATER)
    try:
        with account.in_use():
            page = await ask()
    finally:
        gate.give(name, LATER)
        gate.called(1, clock.now(), name)
    return page


class Puller:
    """Reads the `events` sources of a hub's connectors when they are due, one node at a time.

    Attributes:
        reading: What this node reads just now.
    """

    def __init__(
        self, store: Store, receiver: Receiver, follows: Mapping[str, Following], *, clock: Clock
    ) -> None:
        self.store, self.receiver, self.follows, self.clock = store, receiver, follows, clock
        self.node = new_id("node", clock.now())
        self.reading: set[str] = set()
        self.log = log.get("pull")

    async def know(self) -> None:
        """Begin to follow what is not followed yet, from now on; all are due at once."""
        now = self.clock.now()

        def know(tx: Tx) -> None:
            for name in self.follows:
                cursors.know(tx, Source(name), cursor=rfc3339(now), due=now)
                cursors.hasten(tx, Source(name))

        await self.store.write(know)

    async def rewind(self, name: str, since: datetime) -> None:
        """Have a source read again from a time on; what is known already is dropped."""
        where = Source(name)
        await self.store.write(lambda tx: cursors.rewind(tx, where, rfc3339(since)))

    async def once(self) -> None:
        """Read every source that is due; one that fails does not keep the others."""
        for name in self.follows:
            try:
                await self.pull(name)
            except HubError as error:
                self.log.warning("pull failed", connector=name, error=str(error))

    async def pull(self, name: str, *, forced: bool = False) -> int | None:
        """Read one source to its end; give how many events were new, None where it is not due.

        Raises:
            CallError: The provider did not answer; it is tried again in a minute.
            NotStored: The store did not take what was read; nothing of that page is kept.
        """
        where, follow = Source(name), self.follows[name]
        until = self.clock.now() + LEASE
        cursor = await self.store.write(
            lambda tx: cursors.take(tx, where, node=self.node, until=until, forced=forced)
        )
        if cursor is None:
            return None
        fresh, due, ended = 0, AFTER_A_FAILURE, False
        self.reading.add(name)
        try:
            more = True
            while more:
                found = await self._page(follow, cursor)
                fresh += await self._keep(where, follow, found)
                cursor, more = found.cursor or "", found.more
            due, ended = follow.every, True
        finally:
            self.reading.discard(name)
            again = self.clock.now() + due
            await self.store.write(
                lambda tx: cursors.leave(tx, where, node=self.node, due=again, ended=ended)
            )
        if fresh:
            self.log.warning("events recovered", connector=name, count=fresh)
        return fresh

    async def _page(self, follow: Following, cursor: str) -> Page:
        connector: Any = follow.account.connector
        ask = partial(connector.events, cursor or None, follow.overlap)
        return await spared(follow.account, ask, EVENTS, self.clock)

    async def _keep(self, where: Source, follow: Following, page: Page) -> int:
        receipts = [self._receipt(follow.door, record) for record in page.records]
        until = self.clock.now() + LEASE

        def keep(tx: Tx) -> int:
            done = inbox.receive(tx, receipts)
            cursors.move(tx, where, page.cursor, node=self.node, until=until)
            return sum(one.fresh for one in done)

        return await self.store.write(keep)

    def _receipt(self, door: Door, record: Json) -> Receipt:
        request = Request(
            method="POST",
            url=door.connector.webhook_url,
            headers=(),
            body=write_json(record),
            received_at=self.clock.now(),
        )
        return self.receiver.receipt(door, request, None, pulled=True)
