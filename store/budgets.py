"""Budgets that nodes share: each node holds a block of a limit's calls, and keeps within it.

The blocks of one limit never add up to more than it has. A node that is gone keeps what it had
called, for as long as the provider remembers; what it had not called is free once it is missed, or
at once where it said that it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select

from store.schema import accounts, budgets, upserting
from store.tx import Tx, padded

MISSED_AFTER = timedelta(seconds=15)
LEFT = "left "  # before the name of a node that said so


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a node asks of one limit.

    Args:
        name: Names the limit among its account's.
        calls: What the limit allows in all, in `per` seconds.
        used: What this node has called in the window, or is about to.
    """

    account: str
    name: str
    calls: int
    per: float
    used: int


def share(
    tx: Tx, node: str, asks: Sequence[Ask], *, alone: bool, leaving: bool = False
) -> list[int]:
    """Renew a node's blocks; gives how many calls each now has.

    Args:
        alone: No other node can live: what others left counts as called, no more.
        leaving: It gives back what it has not called.
    """
    if not asks:
        return []
    names = sorted({ask.account for ask in asks})
    # One node at a time: two must not take the same calls.
    own = accounts.c.account.in_(padded(names))
    tx.rows(select(accounts.c.account).where(own).order_by(accounts.c.account).with_for_update())
    rows = tx.rows(select(budgets).where(budgets.c.account.in_(padded(names))))
    blocks = [ask.used if leaving else _block(tx, node, ask, rows, alone=alone) for ask in asks]
    _keep(tx, LEFT + node if leaving else node, asks, blocks)
    if leaving:
        tx.run(delete(budgets).where(budgets.c.node == node))
    _forget(tx, rows, asks)
    return blocks


def _block(tx: Tx, node: str, ask: Ask, rows: Sequence[Row[Any]], *, alone: bool) -> int:
    """Give a node its part: as much as every other that lives, as far as it is free already."""
    others = [r for r in rows if (r.account, r.name) == (ask.account, ask.name) and r.node != node]
    live = [] if alone else [r for r in others if _lives(r, tx.now)]
    gone = [r for r in others if r not in live and r.at > tx.now - timedelta(seconds=ask.per)]
    taken = sum(r.calls for r in live) + sum(r.spent for r in gone)
    nodes = sorted([node, *(r.node for r in live)])
    fair, rest = divmod(ask.calls, len(nodes))
    part = fair + (nodes.index(node) < rest)
    return int(max(min(part, ask.calls - taken), ask.used, 0))


def _lives(row: Row[Any], now: datetime) -> bool:
    return row.at > now - MISSED_AFTER and not row.node.startswith(LEFT)


def _keep(tx: Tx, node: str, asks: Sequence[Ask], blocks: Sequence[int]) -> None:
    adding = upserting(budgets)
    told = {name: adding.excluded[name] for name in ("calls", "spent", "at")}
    rows = [
        {"account": ask.account, "name": ask.name, "node": node, "at": tx.now, "calls": block,
         "spent": ask.used}
        for ask, block in zip(asks, blocks, strict=True)
    ]  # fmt: skip
    key = ["account", "name", "node"]
    tx.run_each(adding.on_conflict_do_update(index_elements=key, set_=told), rows)


def _forget(tx: Tx, rows: Sequence[Row[Any]], asks: Sequence[Ask]) -> None:
    """Drop the blocks of nodes so long gone that no window holds their calls."""
    per = {(ask.account, ask.name): timedelta(seconds=ask.per) for ask in asks}
    for row in rows:
        window = per.get((row.account, row.name))
        if window is not None and row.at < tx.now - window - MISSED_AFTER:
            key = (budgets.c.account, row.account), (budgets.c.name, row.name)
            tx.run(delete(budgets).where(*(c == v for c, v in key), budgets.c.node == row.node))
