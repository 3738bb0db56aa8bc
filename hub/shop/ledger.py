"""The payment ledger: sums and statuses as pure functions of a set of facts, in any order.

Never here: a database, a clock, the time at which a fact arrived. What counts is which facts are
known and when each happened. Repeats are kept out by their identity before they reach this.

A fact may be *stated*: the shop's own backend says that it took the money. A stated capture counts
until the provider's own captures of that payment are known; from then on they alone count. So a
webhook about a payment the shop has posted confirms it, and never adds to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.model import FactName

PaymentStatus = Literal[
    "disputed", "refunded", "overpaid", "paid", "partially_refunded", "partially_paid",
    "authorized", "pending", "voided", "failed", "none",
]  # fmt: skip
PaymentState = Literal[
    "created", "requires_action", "processing", "authorized", "partially_captured", "captured",
    "partially_refunded", "refunded", "cancelled", "lapsed", "failed",
]  # fmt: skip
RefundState = Literal["requested", "pending", "succeeded", "failed", "cancelled", "reversed"]

UNPAID = frozenset({"created", "requires_action", "processing"})
OPENING = frozenset({"pending", "action_required"})
HOLDING = frozenset({"authorized", "authorization_adjusted"})
RELEASING = frozenset({"authorization_lapsed", "cancelled", "checkout_expired"})
CLOSING = HOLDING | RELEASING | {"attempt_failed", "captured"}
UNDOING = frozenset({"refund_failed", "refund_cancelled", "refund_reversed"})
MOVING = frozenset({"authorized", "authorization_adjusted", "captured", "refunded", "withdrawn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact of one payment, as the ledger keeps it; amounts in minor units."""

    fact: FactName
    ref: str
    at: datetime
    amount: int = 0
    currency: str | None = None
    stated: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the facts of a payment, or of several, come to."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    charged_back: int = 0
    disputed: bool = False
    waiting: bool = False
    voided: bool = False
    failed: bool = False

    @property
    def net(self) -> int:
        """Give what is left of the captured money."""
        return self.captured - self.refunded - self.charged_back


def sums(entries: Iterable[Entry]) -> Sums:
    """Add up the facts of one payment."""
    facts = tuple(entries)
    captured = _captured(facts)
    held = _held(facts)
    return Sums(
        authorized=max(held - captured, 0),
        captured=captured,
        refunded=sum(entry.amount for entry in standing_refunds(facts)),
        charged_back=_total(facts, "withdrawn") - _total(facts, "reinstated"),
        disputed=bool(_refs(facts, "dispute_opened") - _refs(facts, "dispute_closed")),
        waiting=waiting(facts) is not None,
        voided=not held and any(entry.fact in HOLDING for entry in facts),
        failed=_failed(facts),
    )


def together(parts: Iterable[Sums]) -> Sums:
    """Add up several payments."""
    each = tuple(parts)
    return Sums(
        authorized=sum(part.authorized for part in each),
        captured=sum(part.captured for part in each),
        refunded=sum(part.refunded for part in each),
        charged_back=sum(part.charged_back for part in each),
        disputed=any(part.disputed for part in each),
        waiting=any(part.waiting for part in each),
        voided=any(part.voided for part in each),
        failed=any(part.failed for part in each),
    )


def payment_status(of: Sums, total: int) -> PaymentStatus:
    """Say where an order of `total` stands: the first line that holds.

    >>> payment_status(Sums(captured=100, refunded=30), 100)
    'partially_refunded'
    """
    back = of.refunded + of.charged_back
    lines: tuple[tuple[bool, PaymentStatus], ...] = (
        (of.disputed, "disputed"),
        (of.captured > 0 and of.net <= 0, "refunded"),
        (of.net > total, "overpaid"),
        (of.net == total, "paid"),
        (back > 0 and of.captured >= total, "partially_refunded"),
        (of.captured > 0, "partially_paid"),
        (of.authorized >= total, "authorized"),
        (of.waiting or of.authorized > 0, "pending"),
        (of.voided, "voided"),
        (of.failed, "failed"),
    )
    return next((status for holds, status in lines if holds), "none")


def payment_state(entries: Sequence[Entry], asked: int | None) -> PaymentState:
    """Say where one payment stands; a failed attempt leaves it as if it were new."""
    of = sums(entries)
    if of.captured > 0:
        return _captured_state(of, asked)
    if of.authorized > 0:
        return "authorized"
    open_fact = waiting(entries)
    if open_fact is not None:
        return "requires_action" if open_fact.fact == "action_required" else "processing"
    ended = _newest(entries, RELEASING)
    if ended is None or _reopened(entries, ended):
        return "created"
    return "lapsed" if ended.fact == "authorization_lapsed" else "cancelled"


def refund_state(entries: Iterable[Entry], refs: Iterable[str]) -> RefundState:
    """Say where one refund stands, known by our job's uid and the provider's id."""
    mine = [entry for entry in entries if entry.ref in set(refs)]
    done = any(entry.fact == "refunded" for entry in mine)
    if any(entry in standing_refunds(mine) for entry in mine):
        return "succeeded"
    undone = _newest(mine, UNDOING)
    if undone is None:
        return "pending" if any(entry.fact == "refund_requested" for entry in mine) else "requested"
    if undone.fact == "refund_cancelled" and not done:
        return "cancelled"
    return "reversed" if done or undone.fact == "refund_reversed" else "failed"


def standing_refunds(entries: Iterable[Entry]) -> list[Entry]:
    """Give the refunds that no later word about the same refund has undone."""
    facts = tuple(entries)
    return [
        entry
        for entry in facts
        if entry.fact == "refunded"
        and not any(e.fact in UNDOING and e.ref == entry.ref and e.at >= entry.at for e in facts)
    ]


def drifted(entries: Sequence[Entry]) -> bool:
    """Say whether the provider's newest cumulative refund figure tells of more than we know.

    A figure below our sum proves nothing as long as we know of a refund made after it.
    """
    figure = _newest(entries, frozenset({"checked"}))
    if figure is None:
        return False
    known = standing_refunds(entries)
    total = sum(entry.amount for entry in known)
    return total < figure.amount or (
        total > figure.amount and all(entry.at <= figure.at for entry in known)
    )


def taken_by_us(entries: Iterable[Entry]) -> int:
    """Say how much of an authorization we have asked to be captured."""
    return sum(entry.amount for entry in entries if entry.fact == "capture_requested")


def waiting(entries: Iterable[Entry]) -> Entry | None:
    """Give the newest open request that nothing at the same time or later has closed."""
    facts = tuple(entries)
    newest = _newest(facts, OPENING)
    if newest is None or any(e.fact in CLOSING and e.at >= newest.at for e in facts):
        return None
    return newest


def currencies(entries: Iterable[Entry]) -> frozenset[str]:
    """Name the currencies in which money moved."""
    return frozenset(e.currency for e in entries if e.fact in MOVING and e.currency)


def _captured(facts: Sequence[Entry]) -> int:
    told = [entry for entry in facts if entry.fact == "captured"]
    own = [entry for entry in told if not entry.stated]
    return sum(entry.amount for entry in own or told)


def _held(facts: Sequence[Entry]) -> int:
    """Give the newest authorization, nothing once a lapse or a cancellation came after it."""
    newest = _newest(facts, HOLDING)
    if newest is None or any(e.fact in RELEASING and e.at >= newest.at for e in facts):
        return 0
    return newest.amount


def _failed(facts: Sequence[Entry]) -> bool:
    failed = _newest(facts, frozenset({"attempt_failed"}))
    return failed is not None and not any(e.fact in OPENING and e.at > failed.at for e in facts)


def _reopened(facts: Sequence[Entry], ended: Entry) -> bool:
    return any(entry.fact in HOLDING and entry.at > ended.at for entry in facts)


def _captured_state(of: Sums, asked: int | None) -> PaymentState:
    if of.net <= 0:
        return "refunded"
    if of.refunded + of.charged_back > 0:
        return "partially_refunded"
    return "partially_captured" if asked is not None and of.captured < asked else "captured"


def _newest(facts: Iterable[Entry], words: frozenset[str]) -> Entry | None:
    """Give the newest of some facts; of two at one time always the same one."""
    some = [entry for entry in facts if entry.fact in words]
    return max(some, key=lambda e: (e.at, e.amount, e.fact, e.ref), default=None)


def _total(facts: Iterable[Entry], word: str) -> int:
    return sum(entry.amount for entry in facts if entry.fact == word)


def _refs(facts: Iterable[Entry], word: str) -> set[str]:
    return {entry.ref for entry in facts if entry.fact == word}
