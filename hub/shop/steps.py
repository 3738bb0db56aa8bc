"""Steps of an order's life: the order locked, at the version seen, in a state that allows it."""

from hub.errors import Refused
from hub.shop.versions import ANY, Match
from store import aggregates
from store.aggregates import Stored
from store.tx import Tx


def order_to_change(tx: Tx, ident: str, match: Match = ANY) -> Stored:
    """Lock an order, at the version the caller has seen.

    Raises:
        Refused: not_found, version_conflict.
    """
    row = aggregates.lock(tx, "order", ident)
    if row is None:
        raise Refused("not_found", "there is no such order")
    match.check(row)
    return row


def step(row: Stored, to: str, allowed: frozenset[str]) -> None:
    """Refuse a step that the order's state does not allow."""
    if row.lifecycle not in allowed:
        raise refuse_step(row, to, allowed)


def refuse_step(row: Stored, to: str, allowed: frozenset[str]) -> Refused:
    """Make the refusal of a step of an order's life."""
    told = {"from": row.lifecycle, "to": to, "allowed": sorted(allowed)}
    return Refused("invalid_transition", f"the order is {row.lifecycle}", **told)
