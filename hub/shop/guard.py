"""The amount and currency guard: what an order's payments come to, and what is wrong with them.

Pure, and told only the set of facts: whatever order they came in, the same is found. Only a
payment without a fault of currency or origin counts; a cheap cart never settles a dear order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.model import Json, rfc3339
from hub.shop.ledger import Entry, Sums, currencies, sums, taken_by_us, together

FOUND = frozenset(
    {
        "amount_mismatch", "overpaid", "double_payment", "currency_mismatch", "foreign_payment",
        "dispute", "fraud_warning",
    }
)  # fmt: skip
"""Cases that this opens, and closes again once later facts have settled them."""

HOLDS = FOUND | {"ledger_conflict", "oversold"}
"""Cases whose order is held while they are open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One payment as the guard sees it.

    Args:
        asked: What we, or the shop, asked for; None where only the provider spoke of it.
        claimed: The order its provider names, where that is another than the one it is for.
        ours: We made it, so it must be with the connector we made it at.
        trusted: A person has said that it is this order's, wherever it comes from.
        returning: What is being given back and has not arrived.
    """

    id: str
    connector: str
    asked: int | None
    claimed: str | None
    ours: bool
    entries: tuple[Entry, ...]
    trusted: bool = False
    returning: int = 0
    sums: Sums = field(default_factory=Sums)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something only a person can settle, with what proves it."""

    kind: str
    subject: str
    evidence: dict[str, Json]

    def same(self, told: Mapping[str, Json]) -> bool:
        """Say whether a case with this evidence tells of the same, whatever facts came since."""
        return _core(self.evidence) == _core(told)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an order's payments come to."""

    whole: Sums
    counting: frozenset[str]
    problems: tuple[Problem, ...]


def judge(order: str, currency: str, total: int, accounts: Sequence[Account]) -> Judgement:
    """Add up the payments that count, and find what is wrong."""
    strange = [p for account in accounts for p in _strange(account, currency, accounts)]
    refused = {problem.subject for problem in strange}
    counting = [account for account in accounts if account.id not in refused]
    whole = together(account.sums for account in counting)
    over = list(_over(order, total, counting, whole))
    short = [p for account in counting for p in _amount(account, over=bool(over))]
    watched = [p for account in accounts for p in _watched(account)]
    found = (*strange, *over, *short, *watched)
    return Judgement(whole, frozenset(account.id for account in counting), found)


def account(
    *, ident: str, connector: str, asked: int | None, claimed: str | None, ours: bool,
    entries: Iterable[Entry], trusted: bool = False, returning: int = 0,
) -> Account:  # fmt: skip
    """Make an account with its sums."""
    facts = tuple(entries)
    return Account(
        id=ident,
        connector=connector,
        asked=asked,
        claimed=claimed,
        ours=ours,
        entries=facts,
        trusted=trusted,
        returning=returning,
        sums=sums(facts),
    )


def evidence(entries: Iterable[Entry]) -> list[Json]:
    """Write facts down for a person."""
    return [
        {
            "fact": entry.fact,
            "ref": entry.ref,
            "amount": entry.amount,
            "currency": entry.currency,
            "occurred_at": rfc3339(entry.at),
            "stated": entry.stated,
        }
        for entry in sorted(entries, key=lambda e: (e.at, e.fact, e.ref, e.stated))
    ]


def _strange(found: Account, currency: str, others: Sequence[Account]) -> Iterable[Problem]:
    """Find what keeps a payment from counting at all."""
    moved = currencies(found.entries)
    if moved - {currency}:
        told = {"order": currency, "seen": sorted(moved), "facts": evidence(found.entries)}
        yield Problem("currency_mismatch", found.id, told)
    places = {other.connector for other in others if other.ours}
    elsewhere = bool(places) and found.connector not in places
    if (found.claimed is not None or elsewhere) and not found.trusted:
        why: dict[str, Json] = {
            "names_order": found.claimed,
            "connector": found.connector,
            "made_at": sorted(places),
            "facts": evidence(found.entries),
        }
        yield Problem("foreign_payment", found.id, why)


def _over(
    order: str, total: int, counting: Sequence[Account], whole: Sums
) -> Iterable[Problem]:  # fmt: skip
    if whole.net - sum(account.returning for account in counting) <= total:
        return
    full = [account.id for account in counting if account.sums.captured >= total]
    kind = "double_payment" if len(full) > 1 else "overpaid"
    payments = [{"payment": a.id, "captured": a.sums.captured} for a in counting]
    yield Problem(kind, order, {"total": total, "net": whole.net, "payments": payments})


def _amount(found: Account, *, over: bool) -> Iterable[Problem]:
    """Compare what came with what was asked; too much over the order's total is told once."""
    came = found.sums.captured or found.sums.authorized
    if found.asked is None or came in {0, found.asked}:
        return
    left = came - found.sums.refunded - found.returning
    if came > found.asked and (over or left <= found.asked):  # told once, or given back
        return
    if came == found.sums.captured <= taken_by_us(found.entries):
        return
    told = {"asked": found.asked, "seen": came, "facts": evidence(found.entries)}
    yield Problem("amount_mismatch", found.id, told)


def _watched(found: Account) -> Iterable[Problem]:
    """Find disputes (until their money is back) and fraud warnings nobody has cleared."""
    if found.sums.disputed or found.sums.charged_back > 0:
        facts = [entry for entry in found.entries if entry.fact.startswith("dispute")]
        back = found.sums.charged_back
        yield Problem("dispute", found.id, {"charged_back": back, "facts": evidence(facts)})
    warned = {entry.ref for entry in found.entries if entry.fact == "fraud_warning"}
    cleared = {entry.ref for entry in found.entries if entry.fact == "fraud_cleared"}
    if open_warnings := sorted(warned - cleared):
        yield Problem("fraud_warning", found.id, {"warnings": open_warnings})


def _core(told: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in told.items() if name != "facts"}
