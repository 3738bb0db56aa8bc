"""HubSpot's double, judged by the vendor's SDK as its client."""

import hubspot_sdk
import pytest

from tests.connectors.hubspot_stage import serve


@pytest.fixture
async def stage(aiohttp_server):
    return await serve(aiohttp_server)


def row(ident, by, trace, **properties):
    return {
        "id": ident,
        "id_property": by,
        "object_write_trace_id": trace,
        "properties": properties,
    }


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
