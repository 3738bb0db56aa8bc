"""Customers: found by their e-mail address, or made, when an order needs one."""

from typing import Any

from hub.ids import new_id
from hub.shop.catalog_snapshots import customer_snapshot
from hub.shop.events import Cause, tell
from hub.shop.snapshot import PERSON
from store import customers
from store.aggregates import Stored
from store.tx import Tx


def customer_for(tx: Tx, cause: Cause, **person: Any) -> Stored:
    """Find the customer of an e-mail address (trimmed, lower case), or make one.

    A customer who is known keeps what is known: an order's words never overwrite it.
    """
    about = {name: person.get(name) for name in PERSON}
    row, new = customers.find_or_add(tx, new_id("cus", tx.now), **about)
    if new:
        tell(tx, "shop.customer.created", customer_snapshot(row), cause)
    return row
