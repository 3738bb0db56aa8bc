"""This node's blocks of the budgets that all nodes share: renewed now and then, never per call."""

from collections.abc import Mapping
from datetime import datetime

from hub.breaker import Gate
from hub.budget import Budget
from store import budgets
from store.budgets import Ask
from store.store import Store

EVERY = 2.0


class Shares:
    """Keeps the gates of a node within what the node may use of each limit."""

    def __init__(self, store: Store, gates: Mapping[str, Gate], node: str) -> None:
        self.store, self.gates, self.node = store, gates, node
        self._told: list[Ask] = []
        self._whole = False  # it has all of every limit

    async def renew(self, now: datetime, *, leaving: bool = False) -> None:
        """Tell what this node has used, and take what it may use from now on.

        Args:
            leaving: It will call no more: what it has not used is free.
        """
        found = [
            (ask, its)
            for account, gate in self.gates.items()
            for ask, its in _asks(account, gate, now)
        ]
        asks = [ask for ask, _ in found]
        if not asks or (self.store.alone and self._whole and asks == self._told):
            return
        blocks = await self.store.write(
            lambda tx: budgets.share(tx, self.node, asks, alone=self.store.alone, leaving=leaving)
        )
        self._told = asks
        self._whole = blocks == [ask.calls for ask in asks]
        for (_, its), block in zip(found, blocks, strict=True):
            for budget in its:
                budget.share = block


def _asks(account: str, gate: Gate, now: datetime) -> list[tuple[Ask, list[Budget]]]:
    """Say what an account's gate has used of each limit; a limit by operation counts the most."""
    groups = [([budget], [gate.owed()]) for budget in gate.budgets]
    if gate.by_action:
        flying = [gate.owed(name) for name in gate.by_action]
        groups += [(list(its), flying) for its in zip(*gate.by_action.values(), strict=True)]
    return [
        (_ask(account, its, flying, now.timestamp()), its)
        for its, flying in groups
        if its[0].limit.calls is not None
    ]


def _ask(account: str, its: list[Budget], flying: list[int], now: float) -> Ask:
    limit = its[0].limit
    return Ask(
        account=account,
        name=f"{limit.calls}/{limit.per:g}s" + (" each" if limit.by == "operation" else ""),
        calls=min(budget.top for budget in its),
        per=limit.per,
        used=max(b.used(now) + n * b.most for b, n in zip(its, flying, strict=True)),
    )
