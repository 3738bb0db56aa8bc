"""An order cut short at any statement leaves nothing; one that is done leaves all of it."""

import pytest
from sqlalchemy import event

from tests.unit.shop.conftest import Desk

TABLES = (
    "orders", "order_lines", "reservations", "stock", "stock_movements", "customers", "carts",
    "payments", "events", "jobs", "job_keys", "tax_lines",
)  # fmt: skip


class Cut(Exception):
    """Power is gone."""


def everything(desk: Desk):
    return {name: desk.rows(name) for name in TABLES}


def complete(desk: Desk, cart, *, cut_at: int | None) -> int:
    """Complete a cart, cut short before its n-th statement; give how many there were."""
    seen = 0

    def count(*_):
        nonlocal seen
        seen += 1
        if seen == cut_at:
            raise Cut

    event.listen(desk.engine, "before_cursor_execute", count)
    try:
        desk.complete(cart)
    finally:
        event.remove(desk.engine, "before_cursor_execute", count)
    return seen


def test_an_order_cut_at_any_statement_leaves_nothing(new_desk):
    desk = new_desk()
    desk.product()
    cart = desk.cart()
    before = everything(desk)
    cut = 0
    while True:
        cut += 1
        try:
            complete(desk, cart, cut_at=cut)
        except Cut:
            assert everything(desk) == before, cut
            continue
        break
    assert cut > 20
    assert desk.row("orders").lifecycle == "pending_payment"
    assert desk.row("stock").reserved == 2
    assert len(desk.rows("jobs")) == 1


@pytest.mark.parametrize("short", ["MUG", "CUP"])
def test_all_lines_or_none(desk, short):
    for sku in ("MUG", "CUP"):
        desk.product(sku, on_hand=0 if sku == short else 9)
    cart = desk.cart(("MUG", 2), ("CUP", 2))
    with pytest.raises(Exception, match="too few"):
        desk.complete(cart)
    assert [row.reserved for row in desk.rows("stock")] == [0, 0]
    assert desk.rows("orders") == []
