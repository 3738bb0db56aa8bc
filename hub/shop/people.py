"""Customers as people keep them: made, changed, asked for consent, exported, forgotten."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from hub.errors import Refused
from hub.ids import new_id
from hub.model import Json
from hub.shop.cart_snapshots import cart_snapshot
from hub.shop.catalog_snapshots import customer_snapshot
from hub.shop.events import Cause, tell
from hub.shop.inputs import Email, Input, Metadata, Word
from hub.shop.rules import ShopRules
from hub.shop.snapshots import order_view
from hub.shop.versions import ANY, Match
from store import aggregates, customers, forgetting
from store.aggregates import Stored
from store.tx import Tx


class ConsentWord(Input):
    """What a person says about news from the shop, and where they said it."""

    status: Literal["granted", "denied", "withdrawn"]
    source: Word | None = None
    at: AwareDatetime | None = None


class NewCustomer(Input):
    """A customer to be made."""

    email: Email
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    locale: Word | None = None
    consent: ConsentWord | None = None
    external_ref: Word | None = None
    metadata: Metadata = Field(default_factory=dict)


class CustomerChange(Input):
    """What of a customer changes; what is not named stays."""

    email: Email | None = None
    first_name: Word | None = None
    last_name: Word | None = None
    phone: Word | None = None
    locale: Word | None = None
    status: Literal["active", "disabled"] | None = None
    consent: ConsentWord | None = None
    metadata: Metadata | None = None


def create_customer(tx: Tx, item: NewCustomer) -> dict[str, Json]:
    """Make a customer.

    Raises:
        Refused: email_taken, external_ref_exists.
    """
    given = item.model_dump(exclude={"consent"})
    values = {**given, **_consent(tx, item.consent)}
    row = aggregates.add_new(tx, "customer", id=new_id("cus", tx.now), **values)
    if row is None:
        known = customers.by_email(tx, item.email)
        if known is not None:
            raise _taken(known.id)
        raise Refused("external_ref_exists", "a customer has this external_ref")
    return _told(tx, row, "created")


def change_customer(
    tx: Tx, ident: str, item: CustomerChange, match: Match = ANY
) -> dict[str, Json]:  # fmt: skip
    """Change a customer; orders keep what they were made with.

    Raises:
        Refused: not_found, version_conflict, email_taken, invalid_transition.
    """
    row = _lock(tx, ident, match)
    if item.email is not None:
        other = customers.by_email(tx, item.email)
        if other is not None and other.id != row.id:
            raise _taken(other.id)
    given = item.model_dump(exclude={"consent"}, exclude_none=True)
    row = aggregates.change(tx, "customer", row.id, **given, **_consent(tx, item.consent))
    if item.consent is not None:
        _told(tx, row, "consent_changed")
    return _told(tx, row, "updated")


def anonymise(tx: Tx, ident: str) -> dict[str, Json]:
    """Forget a person: their orders stay as sums, and nothing says whose they were.

    Again changes nothing.

    Raises:
        Refused: not_found.
    """
    row = aggregates.lock(tx, "customer", ident)
    if row is None:
        raise Refused("not_found", "there is no such customer")
    if row.status == "anonymised":
        return {"customer": customer_snapshot(row)}
    instead = f"{row.id}@anonymised.invalid"
    forgetting.erase(tx, row.id, email=row.email, instead=instead)
    nobody: dict[str, Any] = dict.fromkeys(("first_name", "last_name", "phone", "locale"))
    unsaid = dict.fromkeys(("consent_status", "consent_source", "consent_at", "external_ref"))
    gone = {"email": instead, "status": "anonymised", "metadata": {}}
    row = aggregates.change(tx, "customer", row.id, **gone, **nobody, **unsaid)
    return _told(tx, row, "anonymised")


def export(tx: Tx, ident: str, rules: ShopRules) -> dict[str, Json]:
    """Give all that the shop keeps about a person.

    Raises:
        Refused: not_found.
    """
    row = aggregates.get(tx, "customer", ident)
    if row is None:
        raise Refused("not_found", "there is no such customer")
    return {
        "customer": customer_snapshot(row),
        "orders": [order_view(tx, order) for order in customers.orders_of(tx, row.id)],
        "carts": [cart_snapshot(tx, c, rules) for c in customers.carts_of(tx, row.id, row.email)],
    }


def _consent(tx: Tx, said: ConsentWord | None) -> dict[str, Any]:
    if said is None:
        return {}
    at = said.at or tx.now
    return {"consent_status": said.status, "consent_source": said.source, "consent_at": at}


def _lock(tx: Tx, ident: str, match: Match) -> Stored:
    row = aggregates.lock(tx, "customer", ident)
    if row is None:
        raise Refused("not_found", "there is no such customer")
    match.check(row)
    if row.status == "anonymised":
        told: dict[str, Json] = {"from": "anonymised", "to": "active", "allowed": []}
        raise Refused("invalid_transition", "the customer has been forgotten", **told)
    return row


def _taken(ident: str) -> Refused:
    return Refused("email_taken", "another customer has this address", customer=ident)


def _told(tx: Tx, row: Stored, word: str) -> dict[str, Json]:
    snapshot = customer_snapshot(row)
    tell(tx, f"shop.customer.{word}", snapshot, Cause())
    return {"customer": snapshot}
