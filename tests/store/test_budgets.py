"""Budgets that several nodes share: together they never call more than the limit."""

import random

import pytest

from hub.breaker import Gate
from hub.effects import Limit
from hub.shares import EVERY, Shares

LIMIT = Limit(60, per=10)


class Node:
    """A node that calls as often as its gate lets it; each call takes no time."""

    def __init__(self, store, name: str, limit: Limit, *, slots: int = 100) -> None:
        self.gate = Gate(slots, (limit,), actions=("pay",))
        self.shares = Shares(store, {"crm": self.gate}, name)

    def call(self, now, *, wanted: int) -> int:
        made = min(
            self.gate.rooms(now).most, self.gate.rooms(now).actions.get("pay", wanted), wanted
        )
        for _ in range(made):
            self.gate.take("pay")
            self.gate.called(1, now, "pay")
            self.gate.give("pay")
        return made


@pytest.fixture
def many(store):
    """Let the store know that others may live, which a file's place denies."""
    store.place.alone = False
    return store


def busiest(calls: list[tuple[float, int]], per: float) -> int:
    return max(sum(n for at, n in calls if start <= at < start + per) for start, _ in calls)


@pytest.mark.parametrize("by", ["account", "operation"])
async def test_nodes_that_come_and_go_never_call_more_than_the_limit(many, clock, by) -> None:
    limit, chance = Limit(60, per=10, by=by), random.Random(by)
    nodes, calls, begun = [], [], clock.now()
    for step in range(400):  # 200 s
        if step % 80 == 0 and len(nodes) < 4:
            nodes.append(Node(many, f"n{step}", limit))
            await nodes[-1].shares.renew(clock.now())
        if step == 250:
            await nodes.pop().shares.renew(clock.now(), leaving=True)
        if step == 300:
            nodes.pop()  # killed: it says nothing
        for node in nodes:
            if step % int(EVERY / 0.5) == 0:
                await node.shares.renew(clock.now())
            made = node.call(clock.now(), wanted=chance.choice([0, 1, 5, 20]))
            calls.append(((clock.now() - begun).total_seconds(), made))
        clock.advance(0.5)
    assert busiest(calls, 10) <= 60
    assert sum(made for _, made in calls) >= 0.75 * 60 * 20  # and what may be used is used


async def test_one_node_alone_may_use_all(many, clock) -> None:
    node = Node(many, "n", LIMIT)
    await node.shares.renew(clock.now())
    assert node.call(clock.now(), wanted=100) == 60


async def test_a_newcomer_gets_its_part_once_the_other_has_let_go(many, clock) -> None:
    first, second = Node(many, "a", LIMIT), Node(many, "b", LIMIT)
    await first.shares.renew(clock.now())
    assert first.call(clock.now(), wanted=45) == 45
    await second.shares.renew(clock.now())
    assert second.gate.room(clock.now()) == 0
    await first.shares.renew(clock.now())  # keeps what it has called
    await second.shares.renew(clock.now())
    assert (first.gate.room(clock.now()), second.gate.room(clock.now())) == (0, 15)
    clock.advance(10)
    await first.shares.renew(clock.now())
    await second.shares.renew(clock.now())
    assert (first.gate.room(clock.now()), second.gate.room(clock.now())) == (30, 30)


async def test_who_takes_the_place_of_a_node_that_left_gets_all_it_had(many, clock) -> None:
    first, second = Node(many, "a", LIMIT), Node(many, "b", LIMIT)
    await first.shares.renew(clock.now())
    assert first.call(clock.now(), wanted=45) == 45
    await first.shares.renew(clock.now(), leaving=True)
    await second.shares.renew(clock.now())
    assert second.gate.room(clock.now()) == 15
    clock.advance(10)
    await second.shares.renew(clock.now())
    assert second.gate.room(clock.now()) == 60


async def test_a_limit_smaller_than_the_nodes_are_many_still_goes_out(many, clock) -> None:
    nodes = [Node(many, f"n{n}", Limit(2, per=1)) for n in range(3)]
    for _ in range(2):
        for node in nodes:
            await node.shares.renew(clock.now())
    assert sum(node.call(clock.now(), wanted=9) for node in nodes) == 2


async def test_a_restarted_hub_remembers_what_it_called_today(file_store, clock) -> None:
    await file_store.know_accounts(["crm"])
    daily = Limit(1000, per=86_400)
    first = Node(file_store, "first", daily, slots=2000)
    await first.shares.renew(clock.now())
    first.call(clock.now(), wanted=900)
    await first.shares.renew(clock.now())
    clock.advance(5)
    again = Node(file_store, "again", daily, slots=2000)
    await again.shares.renew(clock.now())
    assert again.gate.room(clock.now()) == 100
    clock.advance(86_400)
    await again.shares.renew(clock.now())
    assert again.gate.room(clock.now()) == 1000


async def test_a_lone_hub_writes_nothing_while_nothing_is_called(file_store, clock) -> None:
    await file_store.know_accounts(["crm"])
    node = Node(file_store, "n", LIMIT)
    await node.shares.renew(clock.now())
    written: list[int] = []
    whole = file_store.write
    file_store.write = lambda work: written.append(1) or whole(work)
    await node.shares.renew(clock.now())
    assert written == []
    node.call(clock.now(), wanted=1)
    await node.shares.renew(clock.now())
    assert written == [1]
