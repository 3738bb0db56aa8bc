"""HubSpot's double: the vendor's SDK drives it, our connector writes to it, it reports back."""

import asyncio
from datetime import UTC, datetime, timedelta

import hubspot_sdk
import pytest
from aiohttp import web
from hubspot_sdk import AsyncHubSpot

from connectors.hubspot import Hubspot
from connectors.hubspot.inputs import Association, Contact, Deal, LineItem, UniqueProperties
from connectors.hubspot.sandbox import Sandbox
from hub import (
    Ambiguous,
    AuthFailed,
    Call,
    ManualClock,
    RateLimited,
    Reject,
    Request,
    Retry,
    Secret,
    SignatureError,
)
from hub.http import Outbound
from hub.sandbox import Endpoint, Fault

JOB = "job_01kg0000000000000000000001"
CLIENT_SECRET = Secret("client-secret-of-the-app-0001", "webhook")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Stored:
    """The links an earlier action stored."""

    def __init__(self):
        self.kept = {}

    async def get(self, kind, our_id):
        if (kind, our_id) not in self.kept:
            raise Reject(f"no link: {kind} {our_id}")
        return self.kept[kind, our_id]


class Quiet:
    """A log nobody reads."""

    def info(self, *_, **__):
        pass


class Stage:
    """The double on a port, a receiver of its webhooks, our connector and the vendor's SDK."""

    def __init__(self, double, base_url, webhook_url, arrived):
        self.double, self.base_url, self.webhook_url = double, base_url, webhook_url
        self.arrived, self.clock, self.links = arrived, double.clock, Stored()

    def sdk(self, token="pat-sandbox"):
        return AsyncHubSpot(
            access_token=token,
            base_url=self.base_url,
            max_retries=0,
            timeout=5,
            _strict_response_validation=True,
        )

    def connector(self, token="pat-sandbox", http=None, **more):
        settings = Hubspot.Settings(access_token=Secret(token), base_url=self.base_url, **more)
        return Hubspot("crm", settings, http, self.webhook_url)

    async def perform(self, action, item, *, attempt=1, job=JOB, within=5, **more):
        connector = self.connector(**more)
        deadline = self.clock.now() + timedelta(seconds=within)
        async with Outbound(self.clock) as out:
            client = out.client(
                Hubspot, connector.settings, name="crm", allow_private=["127.0.0.1"]
            )
            call = Call(
                http=client.attempt(deadline=deadline), job=job, key=job, attempt=attempt,
                deadline=deadline, links=self.links, log=Quiet(), clock=self.clock,
            )  # fmt: skip
            done = await getattr(connector, action)(call, item)
        for one in done if isinstance(done, list) else []:
            self.links.kept |= one.links
        return done

    async def check(self, **more):
        settings = self.connector(**more).settings
        async with Outbound(self.clock) as out:
            client = out.client(Hubspot, settings, name="crm", allow_private=["127.0.0.1"])
            return {c.name: c for c in await Hubspot("crm", settings, client).check()}

    def ledger(self):
        return [(effect.kind, effect.key) for effect in self.double.state.ledger]

    async def delivery(self):
        """The next webhook's events, after it verified."""
        request = await asyncio.wait_for(self.arrived.get(), 5)
        self.connector().verify(request, CLIENT_SECRET, now=self.clock.now().timestamp())
        return request, list(self.connector().parse(request))


@pytest.fixture
async def stage(aiohttp_server):
    arrived = asyncio.Queue()

    async def receive(request):
        body = await request.read()
        url = str(request.url)
        arrived.put_nowait(
            Request(method=request.method, url=url, headers=request.raw_headers, body=body)
        )
        return web.Response()

    double = Sandbox(clock=ManualClock(START))
    app = web.Application()
    app.add_subapp("/hubspot", double.app())
    app.router.add_post("/webhooks/crm", receive)
    server = await aiohttp_server(app)
    webhooks = str(server.make_url("/webhooks/crm"))
    return Stage(double, str(server.make_url("/hubspot")), webhooks, arrived)


def row(ident, by, trace, **properties):
    return {
        "id": ident,
        "id_property": by,
        "object_write_trace_id": trace,
        "properties": properties,
    }


# -- the vendor's SDK as client ------------------------------------------------------------------
async def test_the_sdk_upserts_and_reads_contacts(stage):
    async with stage.sdk() as sdk:
        contacts = sdk.crm.objects.contacts
        rows = [row("Ann@Example.com", "email", "t1", firstname="Ann")]
        made = await contacts.batch.upsert(inputs=rows)
        again = await contacts.batch.upsert(inputs=[row("ann@example.com", "email", "t1")])
        ident = made.results[0].id
        read = await contacts.get("ANN@example.com", id_property="email", properties=["firstname"])
        many = await contacts.batch.get(
            inputs=[{"id": ident}], properties=["email"], properties_with_history=[]
        )
    assert (made.status, made.results[0].new, again.results[0].new) == ("COMPLETE", True, False)
    assert made.results[0].object_write_trace_id == "t1"
    assert read.id == many.results[0].id == again.results[0].id == ident
    assert read.properties["firstname"] == "Ann"
    assert many.results[0].properties["email"] == "ann@example.com"
    assert stage.ledger() == [("contact", "ann@example.com")]


async def test_the_sdk_upserts_deals_and_line_items_and_binds_them(stage):
    async with stage.sdk() as sdk:
        deals = await sdk.crm.objects.deals.batch.upsert(
            inputs=[row("ord_1", "shop_order_id", "t", amount="49.90")]
        )
        lines = await sdk.crm.objects.line_items.batch.upsert(
            inputs=[row(f"li_{n}", "shop_line_id", f"t{n}", name="Mug") for n in range(2)]
        )
        deal = deals.results[0].id
        spec = [{"association_category": "HUBSPOT_DEFINED", "association_type_id": 19}]
        ends = [
            {"from": {"id": deal}, "to": {"id": one.id}, "types": spec} for one in lines.results
        ]
        for _ in range(2):
            bound = await sdk.crm.associations.batch.create(
                "line_items", from_object_type="deals", inputs=ends
            )
            assert [one.to_object_id for one in bound.results] == [i.id for i in lines.results]
        read = await sdk.crm.objects.deals.get(deal, associations=["line_items"])
        back = await sdk.crm.objects.line_items.get(lines.results[1].id, associations=["deals"])
    assert [one.id for one in read.associations["line_items"].results] == [
        one.id for one in lines.results
    ]
    assert [one.id for one in back.associations["deals"].results] == [deal]
    assert [kind for kind, _ in stage.ledger()] == ["deal", "line_item", "line_item"] + [
        "association"
    ] * 2


async def test_the_sdk_meets_a_207_when_traced_and_a_400_when_not(stage):
    good, bad = row("a@b.example", "email", "1"), row("c@d.example", "email", "2", nope="x")
    async with stage.sdk() as sdk:
        batch = sdk.crm.objects.contacts.batch
        partly = await batch.with_raw_response.upsert(inputs=[good, bad])
        assert partly.http_response.status_code == 207
        body = partly.http_response.json()
        assert [one["objectWriteTraceId"] for one in body["results"]] == ["1"]
        assert body["numErrors"] == 1
        assert body["errors"][0]["context"] == {"objectWriteTraceId": ["2"]}
        for one in (good, bad):
            del one["object_write_trace_id"]
        good["id"] = "e@f.example"
        with pytest.raises(hubspot_sdk.BadRequestError) as refused:
            await batch.upsert(inputs=[good, bad])
    assert refused.value.body["errors"][0]["context"] == {"propertyName": ["nope"]}
    assert refused.value.body["correlationId"]
    assert stage.ledger() == [("contact", "a@b.example")]  # a refused batch wrote nothing


async def test_the_sdk_meets_a_409_that_names_the_other_record(stage):
    async with stage.sdk() as sdk:
        contacts = sdk.crm.objects.contacts
        made = await contacts.create(properties={"email": "a@b.example"}, associations=[])
        with pytest.raises(hubspot_sdk.ConflictError) as taken:
            await contacts.create(properties={"email": "A@B.example"}, associations=[])
    assert taken.value.body["message"] == f"Contact already exists. Existing ID: {made.id}"
    assert taken.value.body["category"] == "CONFLICT"


REFUSED_ROWS = [
    # what HubSpot does not take
    row("a@b.example", "email", "1", nope="x"),  # an unknown property
    row("a@b.example", "email", "1", lifecyclestage="friend"),  # no such option
    row("no address", "email", "1"),
    row("a@b.example", "firstname", "1"),  # not unique
    row("a@b.example", "email", "1", phone=5),  # a number
    row("a@b.example", "email", "1", phone=None),
    row("a@b.example", "email", "1") | {"hub_job": "x"},  # an unknown field
]


@pytest.mark.parametrize("bad", REFUSED_ROWS)
async def test_the_double_refuses_what_hubspot_refuses(stage, bad):
    stage.double.multi_status = False
    async with stage.sdk() as sdk:
        with pytest.raises(hubspot_sdk.BadRequestError):
            await sdk.crm.objects.contacts.batch.upsert(inputs=[bad])
    assert stage.ledger() == []


@pytest.mark.parametrize(
    "rows",
    [
        [row("a@b.example", "email", "1"), row("A@b.example", "email", "2")],  # one record twice
        [row(f"a{n}@b.example", "email", f"{n}") for n in range(101)],
        [],
    ],
)
async def test_the_double_refuses_a_batch_of_a_wrong_size_or_with_a_record_twice(stage, rows):
    async with stage.sdk() as sdk:
        with pytest.raises(hubspot_sdk.BadRequestError):
            await sdk.crm.objects.contacts.batch.upsert(inputs=rows)
    assert stage.ledger() == []


@pytest.mark.parametrize("properties", [{"amount": "a lot"}, {"closedate": "soon"}])
async def test_numbers_and_times_are_checked(stage, properties):
    stage.double.multi_status = False
    async with stage.sdk() as sdk:
        with pytest.raises(hubspot_sdk.BadRequestError):
            await sdk.crm.objects.deals.batch.upsert(
                inputs=[row("ord_1", "shop_order_id", "1", **properties)]
            )


async def test_the_search_index_lags(stage):
    stage.double.search_lag = 30
    filters = [{"filters": [{"operator": "EQ", "property_name": "email", "value": "a@b.example"}]}]

    async def found():
        answer = await sdk.crm.objects.contacts.search(
            after="", filter_groups=filters, limit=10, properties=["phone"], sorts=[]
        )
        return [one.properties.get("phone") for one in answer.results]

    async with stage.sdk() as sdk:
        await sdk.crm.objects.contacts.batch.upsert(
            inputs=[row("a@b.example", "email", "1", phone="1")]
        )
        seen = [await found()]
        stage.clock.advance(30)
        seen.append(await found())
        await sdk.crm.objects.contacts.batch.upsert(
            inputs=[row("a@b.example", "email", "1", phone="2")]
        )
        seen.append(await found())
        stage.clock.advance(30)
        seen.append(await found())
    assert seen == [[], ["1"], ["1"], ["2"]]


async def test_both_budgets_are_counted_and_said(stage):
    stage.double.budget.limit = 3
    async with stage.sdk() as sdk:
        contacts = sdk.crm.objects.contacts
        for left in (2, 1, 0):
            answer = await contacts.with_raw_response.list()
            assert answer.headers["X-HubSpot-RateLimit-Remaining"] == str(left)
        with pytest.raises(hubspot_sdk.RateLimitError) as spent:
            await contacts.list()
        assert spent.value.body["policyName"] == "TEN_SECONDLY_ROLLING"
        stage.clock.advance(10)
        await contacts.list()
        stage.double.budget.daily = 4
        with pytest.raises(hubspot_sdk.RateLimitError) as spent:
            await contacts.list()
        assert spent.value.body["policyName"] == "DAILY"
        stage.clock.advance(86_400)
        await contacts.list()


@pytest.mark.parametrize("token", ["revoked", ""])
async def test_a_bad_token_is_refused(stage, token):
    async with stage.sdk(token or "x") as sdk:
        more = {} if token else {"extra_headers": {"Authorization": ""}}
        with pytest.raises(hubspot_sdk.AuthenticationError) as refused:
            await sdk.crm.objects.contacts.list(**more)
    assert refused.value.body["category"] == "INVALID_AUTHENTICATION"


# -- our connector against it --------------------------------------------------------------------
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
