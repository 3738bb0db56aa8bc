"""Disputes as their facts tell them: opening one holds the order; money moves by facts alone."""

from hub.ids import new_id
from hub.model import Json
from hub.shop.events import Cause, tell
from hub.shop.facts import RecordPayment
from hub.shop.ledger import Entry
from hub.shop.money_snapshots import dispute_snapshot
from hub.shop.reckoning import entries_of
from store import aggregates, payments
from store.aggregates import Stored
from store.tx import Tx

WORDS = ("dispute_opened", "dispute_changed", "dispute_closed")
ENDS = frozenset({"won", "lost"})


def follow(tx: Tx, payment: Stored, fact: RecordPayment, cause: Cause) -> None:
    """Let the dispute a fact is about follow it; in whatever order facts come, it ends alike."""
    if fact.fact not in WORDS:
        return
    ref = fact.ref.partition("@")[0]
    newest, closed = _stand([e for e in entries_of(tx, payment.id) if _about(e, ref)])
    state = newest.code or ("closed" if closed else "open")
    row = payments.dispute(tx, fact.connector, ref)
    values = {"state": state, "open": int(not closed), "order_id": payment.order_id}
    if row is None:
        row = aggregates.add(
            tx,
            "dispute",
            id=new_id("dsp", tx.now),
            payment_id=payment.id,
            connector=fact.connector,
            provider_ref=ref,
            amount=fact.amount,
            currency=fact.currency,
            **values,
        )
        _tell(tx, row, "opened", cause)
        if state in ENDS:
            _tell(tx, row, state, cause)
        return
    if (row.state, row.open) != (state, values["open"]):
        row = aggregates.change(tx, "dispute", row.id, **values)
        _tell(tx, row, state if state in ENDS else "updated", cause)


def view(row: Stored) -> dict[str, Json]:
    """Give a dispute as the API answers it."""
    return dispute_snapshot(row)


def _about(entry: Entry, ref: str) -> bool:
    return entry.fact in WORDS and entry.ref.partition("@")[0] == ref


def _stand(entries: list[Entry]) -> tuple[Entry, bool]:
    """Give the newest word; of two at one time the one that ends more."""
    newest = max(entries, key=lambda e: (e.at, WORDS.index(e.fact), e.code or ""))
    return newest, any(entry.fact == "dispute_closed" for entry in entries)


def _tell(tx: Tx, row: Stored, word: str, cause: Cause) -> None:
    tell(tx, f"shop.dispute.{word}", dispute_snapshot(row), cause)
