"""Running syncs: what is due is read from its source to the end, page by page, by one node.

The jobs of a page and the cursor behind it are one commit, fenced by the reader's lease: whatever
is cut short goes on from there, with nothing lost and nothing sent twice. A tick that nobody was
there for is made up for once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub import log
from hub.clock import Clock
from hub.errors import HubError, Reject
from hub.ids import new_id
from hub.model import Json, rfc3339
from hub.perform import Account
from hub.pull import AFTER_A_FAILURE, LEASE, spared
from hub.shop import sources
from hub.sources import SourceSpec
from hub.syncs import Record, Sync
from store import cursors, runs
from store.cursors import Source
from store.runs import Reading
from store.store import Store
from store.tx import Tx

EVERY = 5.0
PAGE = 100  # records of the shop's in one commit: more would hold up the webhooks behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of records, and where to go on; `more` where there is another."""

    records: tuple[Record, ...]
    cursor: str | None
    more: bool


def where(sync: Sync) -> Source:
    """Name the cursor of a sync: its source may have others, of other syncs."""
    return Source(sync.connector, f"{sync.source}:{sync.name}")


class Syncer:
    """Runs the syncs of a configuration when they are due, one node at a time.

    Args:
        config: The configuration's hash, which the jobs keep.

    Attributes:
        running: What this node runs just now.
    """

    def __init__(
        self,
        store: Store,
        syncs: Mapping[str, Sync],
        accounts: Mapping[str, Account],
        *,
        clock: Clock,
        config: str,
    ) -> None:
        self.store, self.syncs, self.accounts, self.clock = store, syncs, accounts, clock
        self.config = config
        self.node = new_id("node", clock.now())
        self.running: set[str] = set()
        self.log = log.get("sync")

    async def know(self) -> None:
        """Keep when each is due, unless it is kept already and still meant so."""
        now = self.clock.now()

        def know(tx: Tx) -> None:
            for sync in self.syncs.values():
                pace = sync.schedule
                first, due = pace.first(now), pace.after(now)
                runs.schedule(tx, where(sync), str(pace), first=first, due=due)

        await self.store.write(know)

    async def once(self) -> None:
        """Run every sync that is due; one that fails does not keep the others."""
        all_of_them = {where(sync): name for name, sync in self.syncs.items()}
        due = await self.store.look(lambda tx: runs.due(tx, all_of_them)) if all_of_them else ()
        for name in sorted(all_of_them[one] for one in due):
            try:
                jobs = await self.run(name)
                if jobs is not None:
                    self.log.info("sync ended", sync=name, jobs=jobs)
            except HubError as error:
                self.log.warning("sync failed", sync=name, error=str(error))
            except Exception:  # a connector's own code may raise anything
                self.log.exception("sync failed", sync=name)

    async def anew(self, name: str) -> None:
        """Have the next run read everything and send it, changed or not."""
        mark = rfc3339(self.clock.now())
        await self.store.write(lambda tx: runs.anew(tx, where(self.syncs[name]), mark))

    async def run(self, name: str, *, forced: bool = False) -> int | None:
        """Run a sync to its end; give how many jobs it wrote, None where it is not due.

        Args:
            forced: Though it is not due; None means then that another reads it.

        Raises:
            CallError: The source did not answer; it goes on in a minute.
            NotStored: The store did not take a page; nothing of that page is kept.
        """
        sync = self.syncs[name]
        if name in self.running:
            return None
        reading = await self.store.write(partial(self._taken, sync, forced=forced))
        if reading is None:
            return None
        self.running.add(name)
        try:
            return await self._through(sync, reading)
        finally:
            self.running.discard(name)

    # -- a run -------------------------------------------------------------------------------------
    def _taken(self, sync: Sync, tx: Tx, *, forced: bool) -> Reading | None:
        at = where(sync)
        until = tx.now + LEASE
        if cursors.take(tx, at, node=self.node, until=until, forced=forced) is None:
            return None
        return runs.begin(tx, at, anew=rfc3339(tx.now) if sync.full else None)

    async def _through(self, sync: Sync, reading: Reading) -> int:
        """Read to the end; whatever cuts it short, it is let go of."""
        made, error = 0, "cut short"
        try:
            cursor, more = reading.cursor, True
            while more:
                found = await self._page(sync, cursor)
                made += await self._keep(sync, found, reading)
                cursor, more = found.cursor, found.more
            error = ""
        except HubError as failed:
            error = str(failed)
            raise
        finally:
            await self._let_go(sync, error or None)
        return made

    async def _let_go(self, sync: Sync, error: str | None) -> None:
        now = self.clock.now()
        due = now + AFTER_A_FAILURE if error else sync.schedule.after(now)
        await self.store.write(
            lambda tx: runs.end(tx, where(sync), node=self.node, due=due, error=error)
        )

    async def _keep(self, sync: Sync, found: Found, reading: Reading) -> int:
        """Commit a page: its jobs, and the cursor behind it."""
        now = self.clock.now()
        jobs = list(sync.jobs(found.records, now, config=self.config, again=reading.again))

        def keep(tx: Tx) -> None:
            until = tx.now + LEASE
            runs.keep(tx, where(sync), found.cursor, len(jobs), node=self.node, until=until)
            tx.enqueue(*jobs)

        await self.store.write(keep)
        return len(jobs)

    # -- sources -----------------------------------------------------------------------------------
    async def _page(self, sync: Sync, cursor: str | None) -> Found:
        if sync.schema is not None:  # the shop's own: no call, but a look into the store
            await self.store.number_feed()
            got = await self.store.look(lambda tx: sources.page(tx, sync.source, cursor, PAGE))
            return Found(records=got.records, cursor=got.cursor, more=got.more)
        account = self.accounts[sync.connector]
        connector: Any = account.connector
        ask = partial(getattr(connector, sync.source), cursor)
        page = await spared(account, ask, sync.source, self.clock)
        spec = type(connector).sources()[sync.source]
        records = tuple(self._record(spec, one) for one in page.records)
        return Found(records=records, cursor=page.cursor, more=page.more)

    def _record(self, spec: SourceSpec, data: Json) -> Record:
        found = data if isinstance(data, dict) else {}
        ident, version = found.get(spec.id), found.get(spec.version)
        if ident is None or version is None:
            raise Reject(f"the source {spec.name} gave a record without {spec.id}, {spec.version}")
        return Record(id=str(ident), version=str(version), at=self.clock.now(), data=data)
