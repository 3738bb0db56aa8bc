"""What syncs read of the shop: everything first, then what changed, each as events carry it."""

import pytest

from hub.shop.people import anonymise
from hub.shop.sources import READ, page
from hub.shop.vocabulary import SCHEMAS, SOURCES


def read(desk, name, cursor=None):
    """Read on to the end, one record to a page; give what was found, and where that ends."""
    found, more = [], True
    while more:
        got = desk.change(lambda tx, at=cursor: page(tx, name, at, 1))
        found += got.records
        cursor, more = got.cursor, got.more
    return found, cursor


@pytest.mark.parametrize("name", SOURCES)
def test_records_are_whole_snapshots_under_their_last_event(desk, name):
    desk.ordered()
    desk.complete(desk.cart(("MUG", 1), email="ben@example.com"))
    records, cursor = read(desk, name)
    kind = READ[name].kind
    assert [record.id for record in records] == sorted(row.id for row in desk.rows(f"{kind}s"))
    for record in records:
        SCHEMAS[SOURCES[name]].model_validate(record.data)
        [last] = [e for e in desk.rows("events") if e.id == record.event_id]
        assert (last.aggregate_id, str(last.sequence)) == (record.id, record.version)
    assert read(desk, name, cursor) == ([], cursor)


def test_an_order_that_is_paid_is_read_once_as_it_is_then(desk):
    order = desk.ordered()
    _, cursor = read(desk, "orders")
    desk.fact("captured", amount=2500, currency="EUR", order=order)
    [record], cursor = read(desk, "orders", cursor)
    assert (record.id, record.data["payment_status"]) == (order, "paid")
    assert read(desk, "orders", cursor)[0] == []


def test_whoever_is_forgotten_is_read_as_such(desk):
    desk.ordered()
    [ada], cursor = read(desk, "customers")
    desk.change(lambda tx: anonymise(tx, ada.id))
    [gone], _ = read(desk, "customers", cursor)
    assert (gone.id, gone.data["status"]) == (ada.id, "anonymised")
    assert "ada@" not in repr(gone.data).lower()
