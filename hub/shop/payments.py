"""What providers say of payments: facts recorded, and what became of a payment we asked for."""

from collections.abc import Mapping
from datetime import timedelta

from hub.errors import Refused
from hub.model import Json, read_json, write_json
from hub.shop import cases, disputes, late, refunds
from hub.shop.asking import ask_again, ask_cancel
from hub.shop.booking import refresh
from hub.shop.events import Cause, tell
from hub.shop.facts import RecordPayment, cause_of, contradiction, identity, write_fact
from hub.shop.guard import Problem
from hub.shop.inputs import Input, Word
from hub.shop.ledger import drifted
from hub.shop.matching import bind, match
from hub.shop.money_snapshots import payment_snapshot
from hub.shop.reckoning import FINAL, entries_of, reckon
from hub.shop.rules import ShopRules
from store import aggregates, payments
from store.aggregates import Stored
from store.tx import Tx

NOBODY = ShopRules()
MONEY_IN = frozenset({"authorized", "captured"})


class AttachPayment(Input):
    """What became of a `create_payment` or `create_checkout` job.

    Args:
        error: The provider's own words where it refused for good.
    """

    payment: Word
    connector: Word
    ref: Word | None = None
    handoff: dict[str, str] | None = None
    error: str | None = None


class ReviewUnmatched(Input):
    """Which payments have waited too long for their order."""

    older_than: timedelta = timedelta(minutes=15)


def record_payment(tx: Tx, item: RecordPayment, rules: ShopRules) -> dict[str, Json]:
    """Write one payment fact into the ledger and let the order follow.

    A fact that is known changes nothing; one that contradicts what is known overwrites nothing
    and opens a case. Facts about a payment no order is known for are kept until one appears.
    """
    cause = cause_of(tx, item)
    found = match(tx, item)
    new = write_fact(tx, found.row, item)
    conflict = None if new else contradiction(tx, found.row, item)
    row = found.row
    if new or found.moved:
        row = refresh(tx, row.id, cause, failed=new and item.fact == "attempt_failed")
    if found.fresh:
        word = "unmatched" if row.order_id is None else "created"
        tell(tx, f"shop.payment.{word}", payment_snapshot(row), cause)
    if conflict is not None:
        cases.open_case(tx, Problem("ledger_conflict", row.id, conflict), row.order_id, cause)
    if new:
        refunds.follow(tx, row, item, cause)
        disputes.follow(tx, row, item, cause)
        _look_closer(tx, row, item, rules)
    if row.order_id is not None and (new or found.moved or conflict):
        _settle(tx, row, item, cause, rules, new=new)
    return {"payment": row.id, "order": row.order_id, "new": new}


def attach_payment(
    tx: Tx, item: AttachPayment, rules: ShopRules = NOBODY
) -> dict[str, Json]:  # fmt: skip
    """Keep what the provider made of a payment we asked for, or why it refused.

    One whose order has ended meanwhile is given up at once.

    Raises:
        Refused: not_found where there is no such payment.
    """
    row = aggregates.lock(tx, "payment", item.payment)
    if row is None or row.connector != item.connector:
        raise Refused("not_found", f"no payment {item.payment} at {item.connector}")
    if item.error is not None:
        return _refused(tx, row, item.error)
    moved = False
    if item.ref is not None:
        bound = bind(tx, row, item.ref)
        row, moved = bound.row, bound.moved or bound.taken
        if bound.taken:
            told = {"payment": row.id, "ref": item.ref, "why": "another payment has this id"}
            cases.open_case(tx, Problem("ledger_conflict", row.id, told), row.order_id, Cause())
    handoff = _sealed(tx, row, item.handoff)
    row = aggregates.change(tx, "payment", row.id, handoff=handoff, error=None)
    row = refresh(tx, row.id, Cause())
    if moved and row.order_id is not None:
        reckon(tx, row.order_id, Cause())
    order = aggregates.get(tx, "order", row.order_id) if row.order_id else None
    if order is not None and order.lifecycle in FINAL:
        ask_cancel(tx, row, rules)
    return {"payment": row.id, "order": row.order_id, "state": row.state}


def handoff_of(tx: Tx, row: Stored) -> dict[str, str] | None:
    """Open what the shop's page needs to pay: client_secret or redirect_url. A secret."""
    if row.handoff is None:
        return None
    found: dict[str, str] = read_json(tx.unseal(row.handoff, "payments.handoff", row.id))
    return found


def payment_row(tx: Tx, ident: str) -> Stored | None:
    """Read a payment; of one that was merged, the one that took its facts."""
    row = aggregates.get(tx, "payment", ident)
    while row is not None and row.merged_into is not None:
        row = aggregates.get(tx, "payment", row.merged_into)
    return row


def review_unmatched(tx: Tx, item: ReviewUnmatched) -> dict[str, Json]:
    """Open a case for each payment that no order has claimed in time."""
    rows = payments.unmatched(tx, tx.now - item.older_than)
    for row in rows:
        told = {"connector": row.connector, "ref": row.provider_ref, "names": row.claimed_order}
        cases.open_case(tx, Problem("unmatched_payment", row.id, told), None, Cause())
    return {"unmatched": len(rows)}


def _settle(
    tx: Tx, row: Stored, item: RecordPayment, cause: Cause, rules: ShopRules, *, new: bool
) -> None:
    order = reckon(tx, row.order_id, cause)
    if new and item.fact in MONEY_IN and order.lifecycle in FINAL:
        late.arrived(tx, order, aggregates.get(tx, "payment", row.id) or row, item, rules)


def _look_closer(tx: Tx, row: Stored, item: RecordPayment, rules: ShopRules) -> None:
    """Ask the provider where its cumulative figure is not what our facts come to."""
    if item.fact == "checked" and drifted(entries_of(tx, row.id)):
        ask_again(tx, row, identity(item), rules, origin=item.origin)


def _refused(tx: Tx, row: Stored, error: str) -> dict[str, Json]:
    payments.add_fact(
        tx,
        payment_id=row.id,
        connector=row.connector,
        fact="attempt_failed",
        provider_ref=row.id,
        occurred_at=tx.now,
    )
    aggregates.change(tx, "payment", row.id, error=error)
    row = refresh(tx, row.id, Cause(), failed=True)
    if row.order_id is not None:
        reckon(tx, row.order_id, Cause())
    return {"payment": row.id, "order": row.order_id, "state": row.state, "error": error}


def _sealed(tx: Tx, row: Stored, handoff: Mapping[str, str] | None) -> bytes | None:
    if handoff is None:
        return bytes(row.handoff) if row.handoff is not None else None
    return tx.seal(write_json(dict(handoff)), "payments.handoff", row.id)
