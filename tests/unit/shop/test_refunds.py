"""Refunds we ask for, refunds begun at the provider, and money that does not come back."""

from itertools import permutations

import pytest

from hub.errors import Refused

EUR = {"currency": "EUR"}
CAPTURED = {"fact": "captured", "ref": "ch_1", "amount": 2500, "at": 30, **EUR}


def paid(desk):
    """A paid order over 25.00; gives its payment's id."""
    desk.fact(**CAPTURED, order=desk.ordered())
    return desk.row("payments").id


def ask(desk, payment, amount=1000, **more):
    money = {"amount": amount, "currency": "EUR"} | more
    return desk.do("request_refund", payment=payment, amount=money, reason="too small")["refund"]


def test_a_refund_is_written_before_the_provider_is_asked(desk):
    refund = ask(desk, paid(desk))
    (job, payload), *none = desk.jobs("refund")
    assert not none
    assert (job.key, job.effect) == (refund["id"], "keyed")
    assert payload == {
        "order": desk.row("orders").id,
        "refund": refund["id"],
        "ref": "pi_1",
        "amount": {"amount": 1000, "currency": "EUR"},
        "reason": "too small",
    }
    assert desk.row("refunds").job == job.uid
    assert desk.row("payment_facts", fact="refund_requested").provider_ref == job.uid
    assert desk.row("orders").payment_status == "paid"
    assert desk.events()[-1] == "refund.requested"


@pytest.mark.parametrize("answer", ["job", "order", "attach"])
def test_the_providers_word_ends_the_refund_we_asked_for(desk, answer):
    refund = ask(desk, paid(desk))
    order = desk.row("orders").id
    told = {"job": {"job": desk.row("refunds").job}, "order": {"order": order}, "attach": {}}
    if answer == "attach":
        desk.do("attach_refund", refund=refund["id"], connector="stripe", ref="re_1")
    desk.fact("refunded", ref="re_1", amount=1000, at=90, **told[answer], **EUR)
    row = desk.row("refunds")
    assert (row.id, row.state, row.source, row.provider_ref) == (
        refund["id"], "succeeded", "hub", "re_1",
    )  # fmt: skip
    assert desk.row("orders").payment_status == "partially_refunded"
    assert desk.events()[-3:] == [
        "refund.succeeded", "order.payment_status_changed", "order.refunded",
    ]  # fmt: skip
    desk.do("attach_refund", refund=refund["id"], connector="stripe", ref="re_1")
    assert desk.row("refunds").state == "succeeded"


def test_each_refund_of_several_is_told(desk):
    payment = paid(desk)
    for number in (1, 2):
        ask(desk, payment)
        job = desk.rows("refunds")[-1].job
        desk.fact("refunded", ref=f"re_{number}", amount=1000, at=90, job=job, **EUR)
    assert len(desk.told("order.refunded")) == 2
    assert desk.told("order.refunded")[-1].data["order"]["refunded"]["amount"] == 2000


def test_no_more_is_given_back_than_was_taken(desk):
    payment = paid(desk)
    ask(desk, payment, 2000)
    with pytest.raises(Refused) as refusal:
        ask(desk, payment, 501)
    assert refusal.value.code == "amount_exceeds_captured"
    assert refusal.value.extra["refundable"] == {"amount": 500, "currency": "EUR"}
    ask(desk, payment, 500)
    with pytest.raises(Refused, match="amount_exceeds_captured"):
        ask(desk, payment, 1)
    assert len(desk.jobs("refund")) == 2


BAD_REFUNDS = [
    # other coins
    ({"currency": "USD"}, "currency_mismatch"),
    # nothing
    ({"amount": 0}, "validation_error"),
]


@pytest.mark.parametrize(("change", "code"), BAD_REFUNDS)
def test_a_bad_refund_is_refused(desk, change, code):
    payment = paid(desk)
    with pytest.raises(Refused) as refusal:
        ask(desk, payment, **change)
    assert refusal.value.code == code
    assert desk.rows("refunds") == []


def test_nothing_is_refunded_before_anything_came(desk):
    desk.ordered()
    with pytest.raises(Refused, match="amount_exceeds_captured"):
        ask(desk, desk.row("payments").id)
    with pytest.raises(Refused, match="not_found"):
        ask(desk, "pay_no")


def test_a_refund_made_in_the_providers_dashboard_counts_like_ours(desk):
    payment = paid(desk)
    ask(desk, payment)
    # it has our sum, but names no order of ours: not the one we asked for
    desk.fact("refunded", ref="re_dashboard", amount=1000, at=80, **EUR)
    ours, theirs = desk.rows("refunds")
    assert (ours.state, ours.provider_ref) == ("requested", None)
    assert (theirs.source, theirs.state, theirs.provider_ref) == (
        "provider", "succeeded", "re_dashboard",
    )  # fmt: skip
    assert desk.row("orders").refunded == 1000


def test_a_refused_refund_is_a_case_and_can_be_asked_again(desk):
    payment = paid(desk)
    refund = ask(desk, payment, 2500)
    desk.do("attach_refund", refund=refund["id"], connector="stripe", error="charge is disputed")
    row = desk.row("refunds")
    assert (row.state, row.error) == ("failed", "charge is disputed")
    assert desk.row("cases").kind == "refund_failed"
    assert desk.row("orders").lifecycle == "placed"
    assert desk.events()[-2:] == ["refund.failed", "case.opened"]
    ask(desk, payment, 2500)


UNDONE = [
    {"fact": "refunded", "ref": "re_1", "amount": 1000, "at": 50, **EUR},
    {"fact": "refund_failed", "ref": "re_1", "amount": 1000, "at": 60, **EUR},
    {"fact": "refund_requested", "ref": "re_1", "amount": 1000, "at": 45, **EUR},
]


@pytest.mark.parametrize("facts", list(permutations(UNDONE)))
def test_a_refund_that_came_back_is_no_refund_in_any_order(desk, facts):
    paid(desk)
    for fact in facts:
        desk.fact(**fact)
    assert desk.row("refunds").state == "reversed"
    row = desk.row("orders")
    assert (row.refunded, row.payment_status) == (0, "paid")
    assert [c.kind for c in desk.rows("cases")] == ["refund_failed"]


def test_a_figure_that_tells_of_more_than_we_know_asks_the_provider(desk):
    paid(desk)
    desk.fact("checked", ref="ch_1", amount=1000, at=70, **EUR)
    (job, payload), *none = desk.jobs("retrieve_payment")
    assert not none
    assert payload == {"ref": "pi_1", "order": desk.row("orders").id}
    assert job.effect == "read"
    desk.fact("refunded", ref="re_1", amount=1000, at=69, **EUR)
    # now it agrees, and an older figure proves nothing
    desk.fact("checked", ref="ch_1", amount=1000, at=71, **EUR)
    desk.fact("checked", ref="ch_1", amount=0, at=60, **EUR)
    assert len(desk.jobs("retrieve_payment")) == 1
    assert desk.row("orders").refunded == 1000
