"""What Stripe has really booked: balance transactions as facts, for the daily match.

A transaction is in the currency of the payout; what it is compared by is its source's own amount.
Source: https://docs.stripe.com/api/balance_transactions/list, /reports/balance-transaction-types,
version 2026-10-28.endive (read 2026-11).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.stripe import facts, sdk
from hub import Booked, Json, PaymentFact

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

MOST = 100
DONE = "succeeded"
Reader = Callable[[Mapping[str, Json], datetime], Iterable[PaymentFact]]


def _refunded(thing: Mapping[str, Json], at: datetime) -> Iterable[PaymentFact]:
    """Read a refund's money; one that is still pending or has failed is left to its own facts."""
    return facts.refund(thing, at) if thing.get("status") == DONE else ()


BY_TYPE: Mapping[str, Reader] = {
    "charge": facts.charge_captured,
    "payment": facts.charge_captured,
    "refund": _refunded,
    "payment_refund": _refunded,
    "refund_failure": facts.refund,
    "payment_failure_refund": facts.refund,
}


async def page(v1: "V1Services", since: datetime, until: datetime, cursor: str | None) -> Booked:
    """Read a page of what was booked in a span, newest first."""
    span = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
    asked: Any = {"created": span, "limit": MOST, "expand": ["data.source"]}
    asked |= {"starting_after": cursor} if cursor else {}
    found = await sdk.read(v1.balance_transactions.list_async(asked))
    things = found.get("data") or []
    last = things[-1]["id"] if things and found.get("has_more") else None
    return Booked(facts=tuple(of_transactions(things)), cursor=last)


def of_transactions(things: Iterable[Mapping[str, Json]]) -> Iterator[PaymentFact]:
    """Read the facts of balance transactions; payouts, fees and transfers are no payment's."""
    for thing in things:
        about = thing.get("source")
        if not isinstance(about, dict) or not about.get("id"):
            continue
        at = datetime.fromtimestamp(thing["created"], UTC)
        if about.get("object") == "dispute":
            moved = facts.movements({**about, "balance_transactions": [thing]}, at)
            yield from (fact for fact in moved if fact.fact != "fee")
        elif (read := BY_TYPE.get(str(thing.get("type")))) is not None:
            yield from read(about, at)
