"""A store, opened: the writer for every change, an asynchronous engine for every read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.clock import Clock
from hub.errors import HubError, NotStored
from hub.model import Job, Request
from hub.secrets import Secret
from store import claims, engine, inbox, migrate, restored, schema, settle
from store.claims import Room
from store.crypto import Cipher
from store.inbox import Receipt, Received
from store.places import POOL, place
from store.settle import Completion
from store.tx import Route, Tx, Undone

Item = TypeVar("Item")
Result = TypeVar("Result")


class Store:
    """One shop's store. Open it with `Store.open`, close it when done.

    `served` stores hold the lock of their file; others (the CLI beside a running hub) write in
    short transactions of their own, and the hub sees that something changed.
    """

    def __init__(
        self, url: str, *, keys: Sequence[Secret], clock: Clock, route: Route, pool: int = POOL
    ) -> None:
        self.url = engine.parse(url)
        self.clock, self.cipher = clock, Cipher(keys)
        self._route = route
        self.changed = asyncio.Event()
        self.place = place(self.url, self.changed, pool=pool)
        self.writer = self.place.writer(clock=clock, cipher=self.cipher, route=self.route)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        keys: Sequence[Secret],
        clock: Clock,
        route: Route = lambda _event, _now: (),
        served: bool = False,
        pool: int = POOL,
    ) -> Self:
        """Open a store, its tables brought up to this release where it is to be served.

        Args:
            pool: Most connections to PostgreSQL, beside the one that listens.

        Raises:
            ConfigError: Another hub serves it, it is of a later release, or a key is no key.
        """
        store = cls(url, keys=keys, clock=clock, route=route, pool=pool)
        if served:
            store.place.take()
        try:
            await store.place.migrating(migrate.upgrade if served else migrate.require)
        except BaseException:
            await store.place.close()
            raise
        store.writer.start()
        store.place.start(served=served)
        last = await store.look(restored.latest)
        store.writer.restored_at = None if last is None else last.at
        return store

    @staticmethod
    async def migrate(url: str) -> tuple[str | None, str | None]:
        """Bring a store's tables up to this release; give the migration it was at, and is at.

        Raises:
            ConfigError: A hub serves it, or it is of a later release.
        """
        found = place(engine.parse(url), asyncio.Event())
        found.take()
        try:
            return await found.migrating(migrate.upgrade)
        finally:
            await found.close()

    @property
    def alone(self) -> bool:
        """Say whether no other hub can serve this store."""
        return self.place.alone

    @property
    def restored_at(self) -> datetime | None:
        """Give when it was restored last; None where it never was."""
        return self.writer.restored_at

    @property
    def file(self) -> str | None:
        """Give the file it is in; None where a server has it."""
        return self.place.url.database if self.alone else None

    def route(self, event: Any, now: datetime) -> Any:
        """Write an event's jobs by the routes in force; none that would repeat what was lost."""
        made = self._route(event, now)
        lost = self.restored_at is not None and event.at <= self.restored_at
        return restored.doubted(made) if lost and event.origin != "replay" else made

    def use(self, route: Route) -> None:
        """Put other routes in force."""
        self._route = route

    async def close(self) -> None:
        """Commit what waits and let go of the place."""
        await self.writer.close()
        await self.place.close()

    # -- writing -----------------------------------------------------------------------------------
    async def change(self, work: Callable[[Tx, Item], Result], item: Item) -> Result:
        """Run a shop or API change, all of it or nothing; see Writer.submit."""
        return await self.writer.submit(lambda tx: work(tx, item), kind="change")

    async def receive(self, receipt: Receipt) -> Received:
        """Commit a receipt."""
        return await self.writer.join(inbox.receive, receipt, kind="receipt")

    async def claim(
        self, room: Mapping[str, Room | int], *, node: str, until: datetime, **how: Any
    ) -> tuple[list[Job], datetime | None]:
        """Lease due jobs; see store.claims.claim."""
        return await self.write(lambda tx: claims.claim(tx, room, node=node, until=until, **how))

    async def settle(self, done: Completion) -> bool:
        """Commit an attempt's end; see store.settle.settle."""
        if done.jobs:
            return await self._settle_with(done)
        return await self.writer.join(settle.settle, done, kind="completion") is True

    async def settle_shop(
        self, work: Callable[[Tx, Any], Any], item: Any, done: Completion
    ) -> bool:
        """Run a shop action and end its job in one commit: both or neither."""
        return await self._settle_with(done, lambda tx: work(tx, item))

    async def _settle_with(
        self, done: Completion, work: Callable[[Tx], object] | None = None
    ) -> bool:
        try:
            return await self.writer.submit(
                lambda tx: settle.settle_with(tx, done, work), kind="change"
            )
        except Undone:
            return False

    async def write(self, work: Callable[[Tx], Result]) -> Result:
        """Run any other work in a commit of its own, or with others."""
        return await self.writer.submit(work)

    async def know_accounts(self, names: Sequence[str]) -> None:
        """Make the rows of accounts that claims go through."""
        rows = [{"account": name, "connector": name} for name in sorted(names)]

        def know(tx: Tx) -> None:
            tx.run_each(schema.upserting(schema.accounts).on_conflict_do_nothing(), rows)

        await self.write(know)

    async def number_feed(self) -> None:
        """Have the feed hold all that was committed until now."""
        await self.place.number_feed()

    # -- reading -----------------------------------------------------------------------------------
    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a connection for reads.

        Raises:
            NotStored: The store is not to be had.
        """
        return _reading(self.place.reading)

    async def answer(self) -> None:
        """Read nothing; raises what the store does where it is not to be had."""
        async with self.place.reading.connect() as connection:
            await connection.execute(select(1))

    async def kept_request(self, inbox_id: str) -> Request:
        """Give a kept request as it came.

        Raises:
            HubError: There is none, or its body is no longer kept.
        """
        async with self.read() as connection:
            wanted = select(schema.inbox).where(schema.inbox.c.id == inbox_id)
            row = (await connection.execute(wanted)).first()
        if row is None or row.body is None:
            raise HubError(f"the request {inbox_id} is not kept")
        return inbox.request_of(self.cipher, row)

    async def look(self, work: Callable[[Tx], Result]) -> Result:
        """Run reads that are written for a Tx, all on one snapshot; they cannot write."""
        async with _reading(self.place.looking) as connection:
            return await connection.run_sync(
                lambda sync: work(
                    Tx(sync, now=self.clock.now(), cipher=self.cipher, route=self.route)
                )
            )

    async def data_version(self, connection: AsyncConnection) -> int:
        """Give a number that moves when another process has written; see `alone`."""
        return await self.place.neighbours_wrote(connection)


@asynccontextmanager
async def _reading(way: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with way.connect() as connection:
            yield connection
    except Exception as error:
        if not engine.away(error):
            raise
        raise NotStored(f"the store cannot be read: {type(error).__name__}") from error
