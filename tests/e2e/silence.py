"""`python -m tests.e2e.silence`: no webhook ever comes; the reconciler settles every order.

Virtual time: the clock moves a second at a time, and stands while anybody is called.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from hub import log
from hub.clock import ManualClock
from hub.sandbox import Fault
from store.schema import inbox, job_history
from store.shop_schema import orders
from tests.e2e.inside import House, inside

INTERVAL, AT_ONCE, CALLS = 900, 20, 100


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    placed: int
    paid: int
    seconds: int
    recovered: int
    asked: int

    @property
    def good(self) -> bool:
        return self.paid == self.placed and self.seconds <= 2 * INTERVAL

    def __str__(self) -> str:
        told = f"{self.paid} of {self.placed} orders settled after {self.seconds} virtual seconds"
        how = f"{self.recovered} events recovered from the provider's list"
        return f"{told}; {how}, {self.asked} payments asked about"


async def play(home: Path, *, count: int, store: str | None = None) -> Verdict:
    """Sell, drop every webhook, let time pass until all is settled or two intervals are over."""
    async with inside(home, clock=ManualClock(), store=store) as house:
        house.doubles["stripe"].state.faults.append(Fault(fault="drop", times=None))
        await sell(house, range(count))
        seconds = 0
        while await paid(house) < count and seconds < 2 * INTERVAL:
            await house.pass_by(30)
            seconds += 30
        async with house.hub.store.read() as connection:
            pulled = select(func.count()).select_from(inbox).where(inbox.c.via == "pull")
            recovered = int(await connection.scalar(pulled) or 0)
            asking = job_history.c.action == "retrieve_payment"
            asks = select(func.count()).select_from(job_history).where(asking)
            asked = int(await connection.scalar(asks) or 0)
        return Verdict(count, await paid(house), seconds, recovered, asked)


async def sell(house: House, numbers: Iterable[int]) -> None:
    """Order and pay, some at a time."""
    waiting = iter(numbers)

    async def buy() -> None:
        for n in waiting:
            _, payment = await house.shop.orders(f"silent-{n}@example.com", calls=CALLS)
            await house.shop.pays(payment)

    async with asyncio.TaskGroup() as group:
        buyers = [group.create_task(buy()) for _ in range(AT_ONCE)]
        while not all(task.done() for task in buyers):
            await asyncio.sleep(0.01)
            if not house.calling():
                house.clock.advance(0.2)  # budgets fill again


async def paid(house: House) -> int:
    """Count the orders whose money is known to be here."""
    async with house.hub.store.read() as connection:
        query = select(func.count()).select_from(orders).where(orders.c.paid_at.is_not(None))
        return int(await connection.scalar(query) or 0)


async def main() -> int:
    """Play it and judge."""
    words = argparse.ArgumentParser(prog="silence")
    words.add_argument("--orders", type=int, default=10_000)
    asked = words.parse_args()
    log.setup(level="ERROR")
    with tempfile.TemporaryDirectory() as name:
        verdict = await play(Path(name), count=asked.orders)
    sys.stdout.write(f"{verdict}\n")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
