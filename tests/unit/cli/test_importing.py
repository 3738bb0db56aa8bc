"""Orders imported from a file: again goes on, and nobody is mailed."""

import json

import pytest

MAIL = """
shop: { time_zone: Europe/Berlin, locale: de-DE, currencies: [EUR] }
"""
ROUTES = """
  - { name: receipt, on: shop.order.paid, do: toy.mail, map: receipt }
  - { name: conversion, on: "shop.order.*", do: toy.put, map: conversion }
"""
MAPPING = """
mapping: {name}
from: shop.order@1
to: toy.{action}
map: {{ name: "{{{{ order.id }}}}" }}
"""


@pytest.fixture
def shop(hub):
    """A shop that mails a receipt and reports a conversion for each paid order."""
    for name, action in (("receipt", "mail"), ("conversion", "put")):
        made = MAPPING.format(name=name, action=action)
        (hub.home / f"map-{name}.yaml").write_text(made)
    config = (hub.home / "config.yaml").read_text()
    (hub.home / "config.yaml").write_text(
        config.replace("events:", f"{MAIL.strip()}\nevents:") + ROUTES
    )
    assert hub("check", "config.yaml") == 0, hub.out + hub.err
    return hub


FIVE = {"amount": 500, "currency": "EUR"}


def order(number):
    return {
        "external_ref": f"R-{number}",
        "currency": "EUR",
        "placed_at": "2026-01-02T03:04:05Z",
        "customer": {"email": f"{number}@example.com"},
        "lines": [
            {
                "sku": "MUG",
                "title": "Mug",
                "qty": 1,
                "unit_price": {"amount": 500, "currency": "EUR"},
            }
        ],
    }


def written(shop, orders, name="orders.jsonl"):
    path = shop.home / name
    path.write_text("".join(json.dumps(one) + "\n" for one in orders))
    return str(path)


def test_an_import_mails_nobody_and_again_changes_nothing(shop):
    file = written(shop, [order(n) for n in range(30)])
    assert shop("import", "orders", file, says="30 imported, 0 known, 0 refused") == 0
    assert shop("import", "orders", file, says="0 imported, 30 known, 0 refused") == 0
    assert shop.jobs() == []
    rows = shop.rows("orders")
    assert {(row["lifecycle"], row["origin"]) for row in rows} == {("placed", "import")}
    assert shop("verify") == 0


def test_a_cut_import_goes_on_where_it_stopped(shop):
    orders = [order(n) for n in range(5)]
    shop("import", "orders", written(shop, orders[:3]), says="3 imported")
    shop("import", "orders", written(shop, orders), says="2 imported, 3 known")


def test_what_is_wrong_is_told_with_its_line_and_stops_nothing(shop):
    bad = order(1) | {"currency": "euro"}
    file = written(shop, [order(0), bad, order(2) | {"currency": "USD"}, order(3)])
    assert shop("import", "orders", file, says="2 imported, 0 known, 2 refused") == 1
    assert ":2: currency" in shop.err
    assert ":3: " in shop.err


def test_csv_rows_of_one_order_are_its_lines(shop):
    head = "external_ref,currency,email,placed_at,sku,qty,unit_price,tax,shipping,total,country"
    rows = [
        "R-1,EUR,a@example.com,2026-01-02T03:04:05Z,MUG,2,500,0,490,1790,DE",
        "R-1,EUR,a@example.com,,CUP,1,300,0,,,",
        "R-2,EUR,b@example.com,2026-01-02T03:04:05Z,MUG,x,500,,,,",
    ]
    path = shop.home / "orders.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    assert shop("import", "orders", str(path), says="1 imported, 0 known, 1 refused") == 1
    assert "qty: wants a whole number" in shop.err
    (row,) = shop.rows("orders")
    assert (row["total"]["amount"], len(row["lines"])) == (1790, 2)
    assert row["shipping_address"] == {"country": "DE"}


def test_there_must_be_a_file(shop):
    assert shop("import", "orders", "none.jsonl", says="none.jsonl does not exist") == 1
    assert shop("import", says="hub import orders FILE") == 1
