"""The daily match: what a provider has booked against what our ledger says, payment by payment.

Where they differ a case `ledger_drift` shows both; asking the provider again mends it, and a case
whose payment agrees by then ends by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import AwareDatetime

from hub.model import Json, rfc3339
from hub.shop import cases
from hub.shop.events import Cause
from hub.shop.facts import RecordPayment
from hub.shop.guard import Problem
from hub.shop.inputs import Input, Word
from store import cases as kept
from store import payments
from store.aggregates import Stored
from store.tx import Tx

KIND = "ledger_drift"
COMPARED = frozenset({"captured", "refunded", "withdrawn", "reinstated"})
UNDONE = frozenset({"refund_failed", "refund_cancelled", "refund_reversed"})
Found = Mapping[str, tuple[Stored | None, list[Json]]]


class MatchMoney(Input):
    """A day of a connector, or the part of it that some payments make.

    Args:
        booked: What the provider has booked around that day.
        payments: Ours with facts on that day, of which the provider may have said nothing.
    """

    connector: Word
    since: AwareDatetime
    until: AwareDatetime
    booked: tuple[RecordPayment, ...] = ()
    payments: tuple[Word, ...] = ()


def differences(tx: Tx, item: MatchMoney) -> Found:
    """Compare, and change nothing: what differs by what its case is about; agreement is empty."""
    told: dict[str, list[RecordPayment]] = defaultdict(list)
    rows: dict[str, Stored | None] = {}
    for fact in item.booked:
        row = _row(tx, fact)
        about = row.id if row is not None else f"{item.connector}:{fact.payment}"
        rows[about] = row
        told[about].append(fact)
    for ident in item.payments:
        rows.setdefault(ident, payments.by_id(tx, ident))
    return {about: (row, _differ(tx, item, row, told[about])) for about, row in rows.items()}


def match_money(tx: Tx, item: MatchMoney) -> dict[str, Json]:
    """Open a case for each payment that differs; end those of payments that agree by now."""
    drifted = settled = 0
    for about, (row, lines) in differences(tx, item).items():
        order = row.order_id if row is not None else None
        if lines:
            drifted += 1
            told: dict[str, Json] = {"connector": item.connector, "differs": lines}
            told |= {"ref": _ref(about, row), "day": rfc3339(item.since)[:10]}
            cases.open_case(tx, Problem(KIND, about, told), order, Cause())
            continue
        known = kept.last(tx, KIND, about)
        if known is not None and known.state == "open":
            settled += 1
            cases.close(tx, known, dict(cases.SETTLED), Cause())
    return {"drifted": drifted, "settled": settled}


def _row(tx: Tx, fact: RecordPayment) -> Stored | None:
    found = payments.by_ref(tx, fact.connector, fact.payment)
    return found or payments.by_fact(tx, fact.connector, fact.ref)


def _ref(about: str, row: Stored | None) -> str | None:
    return row.provider_ref if row is not None else about.partition(":")[2]


def _differ(
    tx: Tx, item: MatchMoney, row: Stored | None, told: Iterable[RecordPayment]
) -> list[Json]:  # fmt: skip
    """Give each fact that one of the two does not know, or knows with other money."""
    ours = payments.facts_of(tx, row.id) if row is not None else []
    known = {(fact.fact, fact.provider_ref): fact for fact in ours if not fact.stated}
    theirs = {(fact.fact, fact.ref): fact for fact in told}
    within = [fact for fact in theirs.values() if item.since <= fact.occurred_at < item.until]
    lines = [_line(fact, known.get((fact.fact, fact.ref))) for fact in within]
    undone = {ref for word, ref in known if word in UNDONE}
    lonely = [
        _line(None, fact)
        for at, fact in known.items()
        if fact.fact in COMPARED and item.since <= fact.occurred_at < item.until
        and at not in theirs and fact.provider_ref not in undone
    ]  # fmt: skip
    return [*(line for line in lines if line is not None), *lonely]


def _line(theirs: RecordPayment | None, ours: Stored | None) -> Json:
    """Show both sides of one fact; None where they agree."""
    told = None if theirs is None else _money(theirs.amount, theirs.currency, theirs.occurred_at)
    known = None if ours is None else _money(ours.amount, ours.currency, ours.occurred_at)
    if told is not None and known is not None and told["money"] == known["money"]:
        return None
    about = theirs.fact if theirs is not None else ours.fact if ours is not None else ""
    ref = theirs.ref if theirs is not None else ours.provider_ref if ours is not None else ""
    return {"fact": about, "ref": ref, "provider": told, "ledger": known}


def _money(amount: int | None, currency: str | None, at: datetime) -> dict[str, Json]:
    return {"money": {"amount": amount, "currency": currency}, "at": rfc3339(at)}
