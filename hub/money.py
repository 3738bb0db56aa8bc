"""The daily match of money: what a provider has booked against our ledger, a day at a time.

A day (UTC) is matched once it is some hours over; one node does it, and goes on where it stopped.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from hub import log
from hub.clock import Clock
from hub.errors import HubError, RateLimited
from hub.ids import new_id
from hub.model import PaymentFact, rfc3339
from hub.payments import fact_payload
from hub.perform import Account
from hub.plugin import Connector
from hub.shop.drift import MatchMoney, differences
from store import cases, cursors, payments
from store.cursors import Source
from store.store import Store
from store.tx import Tx

DAY, OVER, EDGE = timedelta(days=1), timedelta(hours=6), timedelta(hours=1)
LEASE = timedelta(minutes=10)
AT_ONCE = 100
PATIENCE = 60  # seconds
ACTION, LATER = "booked", 2  # as the account's budget counts it: after all live work


@dataclass(frozen=True, slots=True)
class Matched:
    """What the match of one day found."""

    payments: int = 0
    drifted: int = 0
    settled: int = 0


class MoneyMatch:
    """Matches the days of every connector that tells what it has booked."""

    def __init__(
        self, store: Store, accounts: Mapping[str, Account], action: Any, *, clock: Clock
    ) -> None:
        self.store, self.action, self.clock = store, action, clock
        tells = {n: a for n, a in accounts.items() if type(a.connector).booked != Connector.booked}
        self.accounts: Mapping[str, Account] = tells
        self.node = new_id("node", clock.now())
        self.log = log.get("money")

    async def once(self) -> None:
        """Match every day that is over; one that fails is tried again in an hour."""
        for name in self.accounts:
            try:
                await self.match(name)
            except HubError as error:
                self.log.warning("money not matched", connector=name, error=str(error))

    async def match(self, name: str, *, since: datetime | None = None) -> list[Matched]:
        """Match the days of a connector that are over and not matched yet, or all since a time.

        Raises:
            CallError: The provider did not answer; what was matched until then stays matched.
        """
        where, now = Source(name, "money"), self.clock.now()
        begin = rfc3339(_day(since or now))

        def take(tx: Tx) -> str | None:
            cursors.know(tx, where, cursor=begin, due=now)
            if since is not None:
                cursors.rewind(tx, where, begin)
            return cursors.take(tx, where, node=self.node, until=now + LEASE, forced=True)

        cursor = await self.store.write(take)
        if cursor is None:
            return []
        done, day = [], _day(datetime.fromisoformat(cursor or begin))
        try:
            while day + DAY + OVER <= self.clock.now():
                done.append(await self._day(name, day))
                day += DAY
                await self._move(where, day)
        finally:
            due = day + DAY + OVER
            await self.store.write(
                lambda tx: cursors.leave(tx, where, node=self.node, due=due, ended=True)
            )
        return done

    async def _move(self, where: Source, day: datetime) -> None:
        until = self.clock.now() + LEASE
        await self.store.write(
            lambda tx: cursors.move(tx, where, rfc3339(day), node=self.node, until=until)
        )

    async def _day(self, name: str, day: datetime) -> Matched:
        told: dict[str, list[PaymentFact]] = defaultdict(list)
        for fact in await self._booked(name, day - EDGE, day + DAY + EDGE):
            told[fact.payment].append(fact)
        span = {"connector": name, "since": day, "until": day + DAY}
        count = drifted = settled = 0
        for some in _parts(told.values()):
            facts = [fact_payload(name, fact) for each in some for fact in each]
            found = await self._compare(MatchMoney.model_validate({**span, "booked": facts}))
            drifted, settled = drifted + found["drifted"], settled + found["settled"]
            count += len(some)
        drifted += await self._untold(name, day, told)
        known = {"connector": name, "day": rfc3339(day)[:10], "payments": count}
        (self.log.warning if drifted else self.log.info)("money matched", **known, drifted=drifted)
        return Matched(count, drifted, settled)

    async def _compare(self, item: MatchMoney) -> Mapping[str, int]:
        """Read first: only what differs, or has differed, is the writer's business."""
        lines = await self.store.look(lambda tx: differences(tx, item))
        if not any(found for _, found in lines.values()) and not await self._doubted(lines):
            return {"drifted": 0, "settled": 0}
        done: Mapping[str, int] = await self.store.change(self.action.work, item)
        return done

    async def _doubted(self, subjects: Iterable[str]) -> bool:
        return await self.store.look(
            lambda tx: cases.open_about(tx, "ledger_drift", list(subjects))
        )

    async def _untold(self, name: str, day: datetime, told: Mapping[str, Any]) -> int:
        """Compare the payments of ours that the provider has not named at all."""
        drifted, after = 0, ""
        while True:
            ids, named = await self.store.look(partial(_moved, name, day, after))
            if not ids:
                return drifted
            lone = [ident for ident in ids if not named.get(ident, set()) & told.keys()]
            if lone:
                item = MatchMoney(connector=name, since=day, until=day + DAY, payments=tuple(lone))
                drifted += (await self._compare(item))["drifted"]
            after = ids[-1]

    async def _booked(self, name: str, since: datetime, until: datetime) -> list[PaymentFact]:
        account, found, cursor = self.accounts[name], list[PaymentFact](), None
        while True:
            await self._room(account)
            account.gate.take(ACTION, LATER)
            try:
                with account.in_use():
                    page = await account.connector.booked(since, until, cursor)
            finally:
                account.gate.give(ACTION, LATER)
                account.gate.called(1, self.clock.now(), ACTION)
            found += page.facts
            if (cursor := page.cursor) is None:
                return found

    async def _room(self, account: Account) -> None:
        """Wait a little for a call the account can spare.

        Raises:
            RateLimited: There was none in all that time.
        """
        for _ in range(PATIENCE):
            if account.gate.rooms(self.clock.now()).syncs > 0:
                return
            await self.clock.sleep(1)
        raise RateLimited("the account has no calls to spare")


def _moved(name: str, day: datetime, after: str, tx: Tx) -> tuple[list[str], dict[str, set[str]]]:
    """Read some of the payments that moved on a day, with the names the provider gives them."""
    ids = payments.moved_between(tx, name, day, day + DAY, after=after, limit=AT_ONCE)
    return ids, payments.refs_of(tx, ids)


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _parts(groups: Iterable[Sequence[PaymentFact]]) -> Iterator[list[Sequence[PaymentFact]]]:
    rest = iter(groups)
    while some := list(islice(rest, AT_ONCE)):
        yield some
