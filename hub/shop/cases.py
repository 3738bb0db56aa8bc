"""Cases: opened with their evidence, one per kind and subject; closed when facts settle them."""

from collections.abc import Iterable

from hub.ids import new_id
from hub.model import Json
from hub.shop.events import Cause, tell
from hub.shop.guard import FOUND, HOLDS, Problem
from hub.shop.money_snapshots import case_snapshot
from store import aggregates, cases
from store.aggregates import Stored
from store.tx import Tx

SETTLED: dict[str, Json] = {"resolution": "settled by later facts", "resolved_by": "hub"}


def open_case(tx: Tx, problem: Problem, order: str | None, cause: Cause) -> None:
    """Open a case; where one of its kind and subject is open, its evidence grows instead.

    What a person has accepted opens no case again, as long as it is the same.
    """
    known = cases.last(tx, problem.kind, problem.subject)
    if known is not None and known.state == "open":
        if known.evidence != problem.evidence:
            aggregates.change(tx, "case", known.id, evidence=problem.evidence)
        return
    if known is not None and known.accepted and problem.same(known.evidence):
        return
    row = aggregates.add(
        tx,
        "case",
        id=new_id("cas", tx.now),
        kind=problem.kind,
        subject=problem.subject,
        order_id=order,
        state="open",
        evidence=problem.evidence,
    )
    tell(tx, "shop.case.opened", case_snapshot(row), cause)


def match(tx: Tx, order: str, problems: Iterable[Problem], cause: Cause) -> list[str]:
    """Open what is wrong now and close what is no longer; give the reasons to hold the order."""
    wrong = {(problem.kind, problem.subject): problem for problem in problems}
    for row in cases.open_of(tx, order):
        if row.kind in FOUND and (row.kind, row.subject) not in wrong:
            close(tx, row, dict(SETTLED), cause)
    for row in cases.claimed(tx, order):
        close(tx, row, {**SETTLED, "order_id": order}, cause)
    for problem in wrong.values():
        open_case(tx, problem, order, cause)
    return sorted({row.kind for row in cases.open_of(tx, order)} & HOLDS)


def close(tx: Tx, row: Stored, how: dict[str, Json], cause: Cause) -> None:
    """Close a case."""
    closed = aggregates.change(tx, "case", row.id, state="resolved", resolved_at=tx.now, **how)
    tell(tx, "shop.case.resolved", case_snapshot(closed), cause)
