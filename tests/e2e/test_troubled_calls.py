"""Calls that fail: repeated where harmless, parked where not, dead where it is of no use."""

from tests.e2e.shop import Shop, until
from tests.e2e.stage import Hub
from tests.e2e.told import assert_told_once, told

SEND, TRACK = "/v3/mail/send", "/v1/track"


async def test_a_mail_whose_answer_is_cut_is_uncertain_until_sendgrid_reports_it(
    shop: Shop,
) -> None:
    await shop.fault("sendgrid", "cut", path=SEND, acted=True)
    await shop.fault("sendgrid", "reorder", times=2, count=9)  # holds the report back
    order, payment = await shop.orders("cut@example.com")
    await shop.pays(payment)
    job = await shop.job_is(order["id"], "send_template", "uncertain")
    assert [(t["attempt"], t["outcome"]) for t in job["attempts"]] == [(1, "ambiguous")]
    assert job["error"]
    await shop.release("sendgrid")
    job = await shop.job_is(order["id"], "send_template", "done")
    assert len(job["attempts"]) == 1
    await shop.over(order["id"])
    await assert_told_once(shop, order)


async def test_a_mail_nobody_reports_stays_uncertain_and_is_not_sent_again(
    hub: Hub, shop: Shop
) -> None:
    await shop.fault("sendgrid", "silent")
    await shop.fault("sendgrid", "cut", path=SEND, acted=True)
    order, payment = await shop.orders("silent@example.com")
    await shop.pays(payment)
    job = await shop.job_is(order["id"], "send_template", "uncertain")
    await shop.buys("after-silent@example.com")
    hub.kill()
    hub.start()
    async with Shop(hub) as later:
        await later.buys("after-restart@example.com")
    [row] = [r for r in hub.listed("jobs", "--state", "uncertain") if r["uid"] == job["id"]]
    assert (row["attempt"], bool(row["error"])) == (1, True)
    assert len((await told(shop, order))["mail"]) == 1
    hub.cli("jobs", "settle", job["id"], "done")
    async with Shop(hub) as later:
        assert (await later.job(order["id"], "send_template"))["state"] == "done"


async def test_a_mail_whose_report_is_dropped_stays_uncertain(hub: Hub, shop: Shop) -> None:
    await shop.fault("sendgrid", "drop")
    await shop.fault("sendgrid", "cut", path=SEND, acted=True)
    order, payment = await shop.orders("dropped@example.com")
    await shop.pays(payment)
    await shop.job_is(order["id"], "send_template", "uncertain")
    await shop.buys("after-drop@example.com")
    job = await shop.job(order["id"], "send_template")
    assert (job["state"], len((await told(shop, order))["mail"])) == ("uncertain", 1)
    hub.cli("jobs", "settle", job["id"], "dead")


async def test_what_a_provider_refuses_is_dead_with_its_own_words(hub: Hub, shop: Shop) -> None:
    data = {"ref": "erp-1", "stage": "nowhere"}
    event = await shop.make("/v1/events", {"type": "erp.deal_changed", "data": data})

    async def dead() -> list[dict[str, object]]:
        found = await shop.get(f"/v1/jobs?event={event['id']}&state=dead")
        return list(found["items"])

    [job] = await until(dead, "the refused job is dead")
    assert "nowhere was not one of the allowed options" in str(job["error"])
    assert job["attempt"] == 1
    assert str(job["uid"]) in hub.cli("jobs", "--state", "dead")


async def test_a_provider_that_is_down_is_asked_again_under_the_same_key(shop: Shop) -> None:
    await shop.fault("stripe", "500", path="/v1/payment_intents", times=1, acted=True)
    await shop.fault("hubspot", "500", path="/crm/objects", times=2)
    await shop.fault("segment", "429", path=TRACK, after=1)
    order = await shop.buys("down@example.com")
    await assert_told_once(shop, order)
    tried = {
        j["action"]: [t["outcome"] for t in j["attempts"]] for j in await shop.jobs(order["id"])
    }
    assert tried["create_payment"] == ["ambiguous", "ok"]
    assert tried["upsert_contacts"] == ["ambiguous", "ambiguous", "ok"]
    assert tried["track"] == ["rate_limited", "ok"]
    made = [e for e in await shop.ledger("stripe") if e["kind"] == "payment_intent"]
    ours = [e for e in made if e["data"].get("metadata", {}).get("hub_order") == order["id"]]
    assert len(ours) == 1


async def test_a_mail_the_provider_throttles_is_sent_later_once(shop: Shop) -> None:
    await shop.fault("sendgrid", "429", path=SEND, after=1)
    order = await shop.buys("throttled@example.com")
    await assert_told_once(shop, order)
    outcomes = [t["outcome"] for t in (await shop.job(order["id"], "send_template"))["attempts"]]
    assert outcomes == ["rate_limited", "ok"]


async def test_a_provider_that_hangs_is_given_up_and_asked_again(shop: Shop) -> None:
    await shop.fault("segment", "hang", path=TRACK, acted=True)
    order = await shop.buys("hang@example.com")
    await assert_told_once(shop, order)
    outcomes = [t["outcome"] for t in (await shop.job(order["id"], "track"))["attempts"]]
    assert outcomes == ["ambiguous", "ok"]


async def test_webhooks_that_come_twice_or_the_wrong_way_round_tell_once(shop: Shop) -> None:
    await shop.fault("stripe", "duplicate", times=3, count=3)
    first = await shop.buys("twice@example.com")
    await shop.fault("stripe", "reorder", times=3, count=3)
    second = await shop.buys("reordered@example.com")
    await assert_told_once(shop, first)
    await assert_told_once(shop, second)
