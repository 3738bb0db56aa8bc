"""The writer: commits whatever waits, together (group commit).

Units are handed in as plain functions of a Tx; each is told its result only after COMMIT. A unit
that refuses rolls back to its own savepoint and breaks no batch; an unexpected error makes the
batch run again one by one, so that only the guilty unit gets it. Units are safe to run twice.
"""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from hub import trace
from hub.clock import Clock
from hub.errors import HubError, NotStored, Refused
from store.crypto import Cipher
from store.tx import Route, Tx, Undone

if TYPE_CHECKING:
    from datetime import datetime

    from store.births import Births

MOST_UNITS = 500
MOST_WAITING = 10_000
T = TypeVar("T")
Item = TypeVar("Item")
Kind = Literal["receipt", "completion", "change", "duty"]
"""What a unit is: `receipt` and `completion` share commits with their like, a `change` has a
savepoint or a transaction of its own, a `duty` (claim, renewal, rescue) may stand anywhere."""
Many = Callable[[Tx, Sequence[Any]], Sequence[Any]]


@dataclass(slots=True, eq=False)
class Unit:
    """One piece of work for the writer, and the future of who waits for it.

    Args:
        many: Does the work for any number of units of its sort; gives a result for each.
        trace: The traceparent of what handed it in.
    """

    many: Many
    item: Any
    kind: Kind
    done: asyncio.Future[Any]
    trace: str | None = None
    result: Any = None
    error: BaseException | None = None
    tries: int = 0


class Writer(ABC):
    """Takes units and commits them.

    Args:
        wake: Called on the loop after a commit that made or moved jobs somebody must claim.
        number: The same after one that told events.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        cipher: Cipher,
        route: Route,
        wake: Callable[[], None],
        number: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock, self.cipher, self.route = clock, cipher, route
        self._wake, self._number = wake, number
        self.births: Births | None = None
        self.restored_at: datetime | None = None
        self._loop = asyncio.get_running_loop()
        self._since: dict[asyncio.Future[Any], float] = {}

    async def submit(self, work: Callable[[Tx], T], *, kind: Kind = "duty") -> T:
        """Run `work` in a commit and give its result after it.

        Raises:
            NotStored: The store could not commit, or too much is waiting.
            Refused: The work itself said no; nothing of it was kept.
        """
        return await self.join(_each, work, kind=kind)

    async def join(
        self, many: Callable[[Tx, Sequence[Item]], Sequence[T]], item: Item, *, kind: Kind
    ) -> T:
        """Have `many` run for all the items that wait for it, this one among them."""
        if not self.alive():
            raise NotStored("the writer has stopped")
        if self.waiting() >= MOST_WAITING:
            raise NotStored("the writer has too much waiting")
        done: asyncio.Future[T] = self._loop.create_future()
        self._since[done] = self._loop.time()
        done.add_done_callback(self._since.__delitem__)
        self._put(Unit(many, item, kind, done, trace.current()))
        # A client that hangs up must not cancel a unit that will be committed.
        return await asyncio.shield(done)

    def waits(self) -> float:
        """Say for how many seconds the oldest unit has waited for its commit."""
        now = self._loop.time()
        return now - next(iter(self._since.values()), now)

    @abstractmethod
    def start(self) -> None:
        """Begin to commit."""

    @abstractmethod
    def waiting(self) -> int:
        """Say how many units wait."""

    @abstractmethod
    def alive(self) -> bool:
        """Say whether it still commits."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what waits, then end."""

    @abstractmethod
    def _put(self, unit: Unit) -> None:
        """Take a unit."""

    # -- for writers -------------------------------------------------------------------------------
    def _tx(self, connection: Connection, **more: bool) -> Tx:
        now = self.clock.now()
        return Tx(
            connection,
            now=now,
            cipher=self.cipher,
            route=self.route,
            births=self.births,
            restored_at=self.restored_at,
            **more,
        )

    def _tell(self, units: Iterable[Unit], tx: Tx | None = None) -> None:
        """Tell whoever waits, and who must act on what was committed; on the loop."""
        for unit in units:
            if unit.done.done():
                continue
            if unit.error is not None:
                unit.done.set_exception(unit.error)
                unit.done.exception()  # told; nobody waits for it where the client hung up
            else:
                unit.done.set_result(unit.result)
        if tx is None:
            return
        if tx.born and tx.births is not None:
            tx.births.begin(tx.born)
        if tx.woken:
            self._wake()
        if tx.told:
            self._number()


def apply(tx: Tx, units: Sequence[Unit]) -> None:
    """Run units in one transaction: those of one sort together, each change in a savepoint."""
    alike: dict[Many, list[Unit]] = {}
    for unit in units:
        unit.error = None
        if unit.kind != "change":
            alike.setdefault(unit.many, []).append(unit)
    for many, these in alike.items():
        results = many(tx, [unit.item for unit in these])
        for unit, result in zip(these, results, strict=True):
            unit.result = result
    for unit in units:
        if unit.kind == "change":
            _change(tx, unit)


def _change(tx: Tx, unit: Unit) -> None:
    born, tx.trace = len(tx.born), unit.trace
    try:
        with tx.connection.begin_nested():
            [unit.result] = unit.many(tx, [unit.item])
            tx.flush()
    except (Refused, Undone) as no:
        tx.drop()
        tx.unbear(born)
        unit.error = no
    finally:
        tx.trace = None


def _each(tx: Tx, works: Sequence[Callable[[Tx], T]]) -> list[T]:
    return [work(tx) for work in works]


def not_stored(error: BaseException) -> BaseException:
    """Turn a store's failure into NotStored; leave our own errors and bugs as they are."""
    if isinstance(error, HubError | Undone):
        return error
    if isinstance(error, StopIteration) or not isinstance(error, Exception):
        # Neither can be told through a future: whoever waits would wait for ever.
        broken = RuntimeError(f"a unit raised {type(error).__name__}")
        broken.__cause__ = error
        return broken
    if isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
        stored = NotStored(f"the store could not commit: {type(error).__name__}")
        stored.__cause__ = error
        return stored
    return error
