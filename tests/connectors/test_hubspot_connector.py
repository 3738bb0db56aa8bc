"""Our HubSpot connector against the double: records, failures, set-up, webhooks."""

import pytest

from connectors.hubspot.inputs import Association, Contact, Deal, LineItem, UniqueProperties
from hub import (
    Ambiguous,
    AuthFailed,
    RateLimited,
    Reject,
    Retry,
    Secret,
    SignatureError,
)
from hub.sandbox import Endpoint, Fault
from tests.connectors.hubspot_stage import CLIENT_SECRET, START, serve


@pytest.fixture
async def stage(aiohttp_server):
    return await serve(aiohttp_server)


ANN = Contact(email="Ann@Example.com", properties={"firstname": "Ann"}, link="cus_1")
ORDER = Deal(shop_order_id="ord_1", properties={"dealname": "Order 1", "amount": "49.90"})
LINES = [LineItem(shop_line_id=f"li_{n}", properties={"name": "Mug"}) for n in range(2)]


def bond(kind, ident):
    return Association(from_kind="deal", from_id="ord_1", to_kind=kind, to_id=ident)


async def play(stage):
    """Write one order as the shipped routes do."""
    done = await stage.perform("upsert_contacts", [ANN])
    done += await stage.perform("upsert_deals", [ORDER])
    done += await stage.perform("upsert_line_items", LINES)
    bonds = [bond("contact", "cus_1"), *(bond("line_item", one.shop_line_id) for one in LINES)]
    done += await stage.perform("associate", bonds)
    return done


async def test_an_order_written_twice_is_there_once(stage):
    first = await play(stage)
    second = await play(stage)
    assert all(one.error is None for one in first + second)
    assert [one.remote_id for one in first] == [one.remote_id for one in second]
    assert [kind for kind, _ in stage.ledger()] == [
        "contact", "deal", "line_item", "line_item", "association", "association", "association",
    ]  # fmt: skip
    assert set(stage.links.kept) == {
        ("contact", "cus_1"), ("deal", "ord_1"), ("line_item", "li_0"), ("line_item", "li_1"),
    }  # fmt: skip


async def test_a_change_is_an_update_and_not_another_record(stage):
    await stage.perform("upsert_deals", [ORDER])
    lost = Deal(shop_order_id="ord_1", properties={"dealstage": "closedlost"})
    await stage.perform("upsert_deals", [lost])
    assert stage.ledger() == [("deal", "ord_1"), ("deal_update", "ord_1")]
    record = stage.double.crm.find("deal", "ord_1", "shop_order_id")
    assert record.properties["amount"] == "49.90"
    assert record.properties["dealstage"] == "closedlost"


async def test_one_bad_item_does_not_hide_that_others_were_written(stage):
    bad = Deal(shop_order_id="ord_2", properties={"nope": "x"})
    good, failed, last = await stage.perform(
        "upsert_deals", [ORDER, bad, Deal(shop_order_id="ord_3")]
    )
    assert good.remote_id
    assert last.remote_id
    assert isinstance(failed.error, Reject)
    assert failed.error.errors == {"nope": 'Property "nope" does not exist'}
    assert stage.ledger() == [("deal", "ord_1"), ("deal", "ord_3")]


async def test_a_whole_batch_refused_is_one_reject_that_names_the_field(stage):
    stage.double.multi_status = False
    with pytest.raises(Reject) as refused:
        await stage.perform("upsert_deals", [ORDER, Deal(shop_order_id="x", properties={"no": ""})])
    assert set(refused.value.errors) == {"no"}
    assert stage.ledger() == []


async def test_no_person_stands_in_an_error(stage):
    stage.double.multi_status = True
    broken = ANN.model_copy(update={"email": "ann smith@example.com"})
    [failed] = await stage.perform("upsert_contacts", [broken])
    text = f"{failed.error} {failed.error.errors}"
    assert "‹email›" in text
    assert "example.com" not in text


async def test_a_lost_race_is_tried_once_more_and_then_found(stage):
    stage.double.races = 1
    with pytest.raises(Retry):
        await stage.perform("upsert_contacts", [ANN])
    [done] = await stage.perform("upsert_contacts", [ANN], attempt=2)
    assert done.links == {("contact", "cus_1"): done.remote_id}
    assert stage.ledger() == [("contact_update", "ann@example.com")]  # the other writer made it


async def test_one_person_under_two_records_is_named(stage):
    await stage.perform("upsert_contacts", [ANN])
    renamed = {"contact_key": "shop_customer_id"}
    [first] = await stage.perform("upsert_contacts", [ANN], **renamed)
    assert isinstance(first.error, Retry)
    [again] = await stage.perform("upsert_contacts", [ANN], attempt=2, **renamed)
    assert isinstance(again.error, Reject)
    assert f"Existing ID: {stage.links.kept['contact', 'cus_1']}" in str(again.error)


async def test_a_customer_who_changes_e_mail_stays_one_contact_by_our_id(stage):
    keyed = {"contact_key": "shop_customer_id"}
    guest = Contact(email="guest@example.com")
    moved = ANN.model_copy(update={"email": "ann@new.example"})
    before = await stage.perform("upsert_contacts", [ANN, guest], **keyed)
    after = await stage.perform("upsert_contacts", [guest, moved], **keyed)
    assert [one.remote_id for one in after] == [one.remote_id for one in reversed(before)]
    assert [kind for kind, _ in stage.ledger()] == ["contact", "contact", "contact_update"]
    assert stage.double.crm.find("contact", "ann@new.example", "email")
    assert stage.double.crm.find("contact", "ann@example.com", "email") is None


async def test_a_missing_link_fails_its_own_item_only(stage):
    await stage.perform("upsert_deals", [ORDER])
    await stage.perform("upsert_line_items", LINES[:1])
    missing, bound = await stage.perform(
        "associate", [bond("contact", "cus_1"), bond("line_item", "li_0")]
    )
    assert str(missing.error) == "no link: contact cus_1"
    assert bound.error is None
    assert stage.ledger()[-1][0] == "association"


async def test_a_record_gone_fails_its_own_association_only(stage):
    await play(stage)
    stage.links.kept["line_item", "li_gone"] = "999999"
    results = await stage.perform(
        "associate", [bond("line_item", "li_0"), bond("line_item", "li_gone")]
    )
    assert [type(one.error) for one in results] == [type(None), Reject]


async def test_an_answer_cut_after_the_write_is_unknown_and_repeating_adds_nothing(stage):
    stage.double.state.faults.append(Fault(fault="cut", acted=True))
    with pytest.raises(Ambiguous):
        await stage.perform("upsert_contacts", [ANN])
    await stage.perform("upsert_contacts", [ANN])
    assert stage.ledger() == [("contact", "ann@example.com")]


FAULTS = [
    # fault, error, seconds to wait
    (Fault(fault="429", after=7), RateLimited, 7),
    (Fault(fault="500"), Ambiguous, None),
]


@pytest.mark.parametrize(("fault", "kind", "after"), FAULTS)
async def test_a_fault_is_what_it_says(stage, fault, kind, after):
    stage.double.state.faults.append(fault)
    with pytest.raises(kind) as failed:
        await stage.perform("upsert_deals", [ORDER])
    assert failed.value.after == after
    assert stage.ledger() == []


async def test_a_spent_day_waits_for_the_account_s_midnight(stage):
    stage.double.budget.daily = 0
    with pytest.raises(RateLimited) as spent:
        await stage.perform("upsert_deals", [ORDER], time_zone="UTC")
    assert 0 < spent.value.after <= 86_400


async def test_a_revoked_token_and_a_missing_scope_hold_the_account(stage):
    with pytest.raises(AuthFailed):
        await stage.perform("upsert_deals", [ORDER], token="revoked")
    stage.double.denied = {"deal"}
    with pytest.raises(AuthFailed, match="MISSING_SCOPES"):
        await stage.perform("upsert_deals", [ORDER])


# -- set-up --------------------------------------------------------------------------------------
async def test_our_properties_are_made_once(stage):
    for kind in ("contact", "deal", "line_item"):
        known = stage.double.crm.properties[kind]
        known.pop(next(name for name in known if name.startswith("shop_")))
    stage.double.multi_status = False
    with pytest.raises(Reject, match="non-unique"):
        await stage.perform("upsert_deals", [ORDER])
    for _ in range(2):
        await stage.perform("ensure_properties", UniqueProperties(customer=True))
    assert stage.ledger() == [
        ("property", "contact.shop_customer_id"),
        ("property", "deal.shop_order_id"),
        ("property", "line_item.shop_line_id"),
    ]
    await stage.perform("upsert_deals", [ORDER])
    await stage.perform("upsert_line_items", LINES)


async def test_check_is_content_with_a_ready_account(stage):
    found = await stage.check(contact_key="shop_customer_id")
    assert {check.state for check in found.values()} == {"ok"}
    assert set(found) == {
        "access_token", "time_zone", "daily calls",
        "crm.objects.contacts.write", "crm.objects.deals.write", "crm.objects.line_items.write",
        "contact.shop_customer_id", "deal.shop_order_id", "line_item.shop_line_id",
    }  # fmt: skip


async def test_check_names_what_is_missing(stage):
    stage.double.denied = {"line_item"}
    stage.double.crm.properties["deal"]["shop_order_id"]["hasUniqueValue"] = False
    del stage.double.crm.properties["contact"]["shop_customer_id"]
    found = await stage.check(contact_key="shop_customer_id", time_zone="America/New_York")
    states = {name: check.state for name, check in found.items() if check.state != "ok"}
    assert states == {
        "time_zone": "warn",
        "crm.objects.line_items.write": "fail",
        "contact.shop_customer_id": "fail",
        "deal.shop_order_id": "fail",
        "line_item.shop_line_id": "fail",
    }
    assert "ensure_properties" in found["deal.shop_order_id"].fix
    assert found["time_zone"].fix == "set time_zone: UTC"


async def test_check_stops_at_a_bad_token_and_at_an_account_out_of_reach(stage):
    assert {n: c.state for n, c in (await stage.check(token="revoked")).items()} == {
        "access_token": "fail"
    }
    stage.double.state.faults.append(Fault(fault="500"))
    assert {n: c.state for n, c in (await stage.check()).items()} == {"reach": "fail"}


async def test_check_warns_before_the_day_is_spent(stage):
    stage.double.budget.daily = 2
    assert (await stage.check())["daily calls"].state == "warn"


# -- webhooks ------------------------------------------------------------------------------------
async def test_what_is_written_is_reported_signed_and_told_apart(stage):
    stage.double.state.endpoints.append(Endpoint(url=stage.webhook_url, secret=CLIENT_SECRET))
    await stage.perform("upsert_contacts", [ANN, Contact(email="b@example.com")])
    request, made = await stage.delivery()
    assert [event.type for event in made] == ["contact.creation"] * 2
    assert len({event.data["eventId"] for event in made}) == 1  # HubSpot's id is not unique
    assert len({event.ext_id for event in made}) == 2
    assert made[0].at == START
    with pytest.raises(SignatureError):
        stage.connector().verify(request, Secret("another"), now=START.timestamp())
    changed = {"firstname": "Anna", "phone": "1"}
    await stage.perform("upsert_contacts", [ANN.model_copy(update={"properties": changed})])
    _, told = await stage.delivery()
    names = {event.data["propertyName"]: event.data["propertyValue"] for event in told}
    assert names == changed
    assert {event.type for event in told} == {"contact.propertyChange"}
    await stage.perform("upsert_contacts", [ANN.model_copy(update={"properties": changed})])
    assert stage.arrived.empty()


async def test_a_webhook_sent_twice_has_the_same_ids(stage):
    stage.double.state.endpoints.append(Endpoint(url=stage.webhook_url, secret=CLIENT_SECRET))
    stage.double.state.faults.append(Fault(fault="duplicate", count=2))
    await stage.perform("upsert_deals", [ORDER])
    _, once = await stage.delivery()
    _, twice = await stage.delivery()
    assert [event.ext_id for event in once] == [event.ext_id for event in twice]
    assert once[0].type == "deal.creation"
