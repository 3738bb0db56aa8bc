"""Payments of which nobody has told us the outcome: their provider is asked, ever more rarely."""

from datetime import datetime, timedelta

from hub.model import Json, rfc3339
from hub.shop.asking import ask_again
from hub.shop.inputs import Input
from hub.shop.rules import ShopRules
from store import payments
from store.tx import Tx

ASKED_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
THEN_EVERY = timedelta(days=1)


class ReviewSilence(Input):
    """From which age on a payment is asked about."""

    older_than: timedelta = ASKED_AFTER[0]


def review_silence(tx: Tx, item: ReviewSilence, rules: ShopRules) -> dict[str, Json]:
    """Write the jobs that ask about payments whose outcome is late; give how many."""
    rows = payments.silent(tx, tx.now - item.older_than)
    late = [row for row in rows if due(row.created_at, row.asked_at, tx.now)]
    told = [row.id for row in late if ask_again(tx, row, f"silent:{rfc3339(tx.now)}", rules)]
    if late:
        payments.asked(tx, [row.id for row in late])
    return {"asked": len(told)}


def due(made: datetime, asked: datetime | None, now: datetime) -> bool:
    """Say whether a silent payment is to be asked about (again).

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> due(noon, None, noon + timedelta(minutes=4)), due(noon, None, noon + timedelta(minutes=5))
    (False, True)
    >>> due(noon, noon + timedelta(minutes=6), noon + timedelta(minutes=14))
    False
    """
    passed = [made + wait for wait in ASKED_AFTER if made + wait <= now]
    if not passed:
        return False
    return asked is None or asked < passed[-1] or now - asked >= THEN_EVERY
