"""Customers: kept once per address, asked for consent, exported, forgotten."""

import pytest

from hub.errors import Refused
from hub.shop.people import (
    CustomerChange,
    NewCustomer,
    anonymise,
    change_customer,
    create_customer,
    export,
)
from hub.shop.versions import Match

ADA = {"email": "Ada@Example.com ", "first_name": "Ada", "last_name": "Lovelace"}


def made(desk, **more):
    item = NewCustomer.model_validate(ADA | more)
    return desk.change(lambda tx: create_customer(tx, item))["customer"]


def changed(desk, ident, match=None, **fields):
    item = CustomerChange.model_validate(fields)
    held = Match(frozenset({match})) if match else Match()
    return desk.change(lambda tx: change_customer(tx, ident, item, held))["customer"]


def test_an_address_is_one_customer(desk):
    first = made(desk)
    assert first["email"] == "ada@example.com"
    with pytest.raises(Refused) as refused:
        made(desk)
    assert (refused.value.code, refused.value.extra["customer"]) == ("email_taken", first["id"])
    other = made(desk, email="bob@example.com")
    with pytest.raises(Refused, match="another customer"):
        changed(desk, other["id"], email="ada@example.com")


def test_consent_is_told_with_its_place_and_time(desk):
    ident = made(desk)["id"]
    told = changed(desk, ident, consent={"status": "granted", "source": "newsletter"})
    assert (told["consent"]["status"], told["consent"]["source"]) == ("granted", "newsletter")
    assert desk.events("shop.customer.") == [
        "customer.created", "customer.consent_changed", "customer.updated",
    ]  # fmt: skip


def test_who_changes_what_has_moved_on_is_refused(desk):
    ident = made(desk)["id"]
    changed(desk, ident, match=1, phone="1")
    with pytest.raises(Refused, match="version 2"):
        changed(desk, ident, match=1, phone="2")


def test_a_person_who_is_forgotten_is_nowhere(desk):
    order = desk.ordered()
    desk.fact("captured", ref="ch_1", amount=2500, currency="EUR", at=30, order=order)
    ident = desk.row("customers").id
    shown = desk.change(lambda tx: export(tx, ident, desk.shop.rules))
    assert [found["id"] for found in shown["orders"]] == [order]
    desk.change(lambda tx: anonymise(tx, ident))
    row = desk.row("customers")
    assert (row.status, row.email) == ("anonymised", f"{ident}@anonymised.invalid")
    for table in ("customers", "orders", "carts", "order_notes", "fulfilments"):
        assert "ada@example.com" not in repr(desk.rows(table)).lower()
    kept = [event for event in desk.rows("events") if event.data is not None]
    assert {event.type for event in kept} <= {
        "shop.product.created", "shop.customer.anonymised",
    }  # fmt: skip
    assert desk.row("orders").captured == 2500
    again = desk.change(lambda tx: anonymise(tx, ident))["customer"]
    assert again["version"] == row.version
    with pytest.raises(Refused, match="forgotten"):
        changed(desk, ident, phone="1")
