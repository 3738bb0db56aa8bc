"""Payments nobody has told us of: asked about after 5, 15 and 60 minutes, then once a day."""

import pytest

EUR = {"currency": "EUR"}


def ordered(desk) -> str:
    """Order a tee; give its payment's id."""
    variant = {"sku": "tee", "prices": [{"amount": 1000, **EUR}], "on_hand": 9}
    desk.do("create_product", title="Tee", status="active", variants=[variant])
    line = {"variant": "tee", "qty": 1}
    desk.do("create_cart", email="a@example.com", lines=[line], **EUR)
    [cart] = desk.rows("carts")
    agreed = {"expected_total": {"amount": 1000, **EUR}, "payment": {"connector": "stripe"}}
    desk.do("complete_cart", cart=cart.id, **agreed)
    return desk.row("payments").id


@pytest.fixture
def waiting(desk):
    """An order whose payment was made at the provider; then silence."""
    desk.do("attach_payment", payment=ordered(desk), connector="stripe", ref="pi_1")
    return desk


def asked(desk, minutes: float) -> int:
    """Let time pass, review, and give how often the provider was asked in all."""
    desk.clock.advance(60 * minutes)
    desk.do("review_silence")
    return len(desk.jobs("retrieve_payment"))


def test_it_is_asked_ever_more_rarely(waiting) -> None:
    after = [asked(waiting, minutes) for minutes in (4, 1, 1, 9, 1, 44, 1, 60)]
    assert after == [0, 1, 1, 2, 2, 3, 3, 3]
    assert asked(waiting, 24 * 60) == 4


def test_after_a_night_away_it_is_asked_once(waiting) -> None:
    assert asked(waiting, 600) == 1
    assert asked(waiting, 1) == 1


def test_what_was_told_is_not_asked_about(waiting) -> None:
    waiting.fact("captured", ref="ch_1", amount=1000, **EUR)
    assert asked(waiting, 600) == 0
    waiting.verify()


def test_a_payment_the_provider_never_made_cannot_be_asked_about(desk) -> None:
    ordered(desk)
    assert asked(desk, 600) == 0


def test_what_an_old_event_made_us_ask_is_no_news_either(waiting) -> None:
    waiting.fact("captured", ref="ch_1", amount=1000, **EUR)
    waiting.fact("checked", ref="ch_1", amount=1000, at=70, origin="backfill", **EUR)
    [(_, payload)] = waiting.jobs("retrieve_payment")
    assert payload["origin"] == "backfill"
    waiting.fact("refunded", ref="re_1", amount=1000, at=69, origin="backfill", **EUR)
    [event] = waiting.told("order.refunded")
    assert (event.origin, event.occurred_at.isoformat()) == (
        "backfill",
        "2026-03-01T00:01:09+00:00",
    )
