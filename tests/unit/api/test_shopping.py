"""From a product to money given back, and every way it can be refused on the way."""

import pytest

from tests.unit.api.conftest import problem

EUR = "EUR"
MUG = {
    "title": "Mug",
    "variants": [
        {"sku": "MUG", "prices": [{"amount": 990, "currency": EUR}], "on_hand": 5},
        {"sku": "LID", "prices": [{"amount": 100, "currency": "CHF"}], "on_hand": 5},
    ],
}
CART = {"currency": EUR, "email": " Ann@Example.com", "lines": [{"variant": "MUG", "qty": 2}]}
INTENT = {"connector": "pay", "method": "intent"}
TOTAL = {"amount": 1980, "currency": EUR}
SECRET = {"client_secret": "canary-secret"}
ELSEWHERE = {
    "external_ref": "S-1",
    "currency": EUR,
    "customer": {"email": "bob@example.com"},
    "lines": [
        {"sku": "X", "title": "Hat", "qty": 1, "unit_price": {"amount": 500, "currency": EUR}}
    ],
}


@pytest.fixture
async def cart(door):
    assert (await door.post("/v1/products", MUG)).status == 201
    made = await door.post("/v1/carts", CART)
    assert made.status == 201
    return await made.json()


async def complete(door, cart, key="c1", **more):
    body = {"expected_total": TOTAL, "payment": INTENT, **more}
    return await door.post(f"/v1/carts/{cart['id']}/complete", body, key=key)


@pytest.fixture
async def sale(door, cart, provider):
    """Give a paid order and its payment."""
    provider.answers = [SECRET]
    made = await (await complete(door, cart)).json()
    await provider.fact("captured", made["payment"]["id"], amount=1980, currency=EUR)
    return made


# -- carts -----------------------------------------------------------------------------------------
async def test_a_cart_has_its_totals_and_its_etag(door, cart):
    assert cart["email"] == "ann@example.com"
    assert cart["totals"]["total"] == TOTAL
    answer = await door.get(f"/v1/carts/{cart['id']}")
    assert answer.headers["ETag"] == '"1"'
    assert await answer.json() == cart


async def test_a_cart_says_what_its_customer_said_of_news(door):
    await door.post("/v1/products", MUG)
    asked = {"email": "ann@example.com", "consent": {"status": "granted", "source": "checkout"}}
    known = await (await door.post("/v1/customers", asked, key="p1")).json()
    of_address = await (await door.post("/v1/carts", CART, key="k1")).json()
    mine = {"currency": EUR, "customer": known["id"], "locale": "de-DE", "lines": CART["lines"]}
    of_customer = await (await door.post("/v1/carts", mine, key="k2")).json()
    other = CART | {"email": "bob@example.com"}
    of_nobody = await (await door.post("/v1/carts", other, key="k3")).json()
    assert [c.get("consent", {}).get("status") for c in (of_address, of_customer, of_nobody)] == [
        "granted", "granted", None,
    ]  # fmt: skip
    assert of_customer["locale"] == "de-DE"


BAD_CARTS = [
    ({"lines": [{"variant": "NOPE", "qty": 1}]}, "validation_error", "/lines/0/variant"),
    ({"lines": [{"variant": "LID", "qty": 1}]}, "currency_mismatch", "/lines/0/variant"),
    ({"currency": "USD"}, "currency_mismatch", "/currency"),
    ({"currency": "euro"}, "validation_error", "/currency"),
    ({"lines": [{"variant": "MUG", "qty": -1}]}, "validation_error", "/lines/0/qty"),
    ({"lines": [{"variant": "MUG", "qty": 0}]}, "validation_error", "/lines/0/qty"),
    ({"lines": [{"variant": "MUG", "qty": 10**9}]}, "validation_error", "/lines/0/qty"),
    ({"lines": [{"variant": "MUG", "qty": 10**30}]}, "validation_error", "/lines/0/qty"),
    ({"lines": [{"variant": "MUG", "qty": 1, "price": 1}]}, "validation_error", "/lines/0/price"),
    ({"total": 5}, "validation_error", "/total"),
    ({"email": "nobody"}, "validation_error", "/email"),
    ({"customer": "cus_none"}, "validation_error", "/customer"),
]


@pytest.mark.parametrize(("change", "code", "pointer"), BAD_CARTS)
async def test_a_bad_cart_is_refused_by_the_field(door, cart, change, code, pointer):
    told = await problem(await door.post("/v1/carts", CART | change), code)
    assert pointer in [fault["pointer"] for fault in told["errors"]]


# -- completing ------------------------------------------------------------------------------------
async def test_completing_answers_with_what_the_page_needs_to_pay(door, cart, provider):
    provider.answers = [SECRET]
    answer = await complete(door, cart)
    body = await answer.json()
    assert answer.status == 201
    assert body["payment"]["client_secret"] == "canary-secret"
    assert body["order"]["lifecycle"] == "pending_payment"
    assert answer.headers["Location"] == f"/v1/orders/{body['order']['id']}"


async def test_a_replay_puts_the_secret_back_that_was_never_kept(door, cart, provider, store):
    provider.answers = [SECRET]
    first = await complete(door, cart)
    again = await complete(door, cart)
    assert await first.read() == await again.read()
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert provider.waits == 1
    kept = await store.look(lambda tx: [
        tx.unseal(row.body, "idempotency.body", f"{row.scope} {row.key}")
        for row in tx.connection.exec_driver_sql("SELECT * FROM idempotency")
    ])  # fmt: skip
    assert kept
    assert not any(b"canary" in body for body in kept)


async def test_a_slow_provider_leaves_the_payment_created_and_then_polled(door, cart, provider):
    answer = await complete(door, cart)
    body = await answer.json()
    assert answer.status == 201
    assert body["payment"]["state"] == "created"
    assert "client_secret" not in body["payment"]
    where = f"/v1/payments/{body['payment']['id']}"
    assert "client_secret" not in await (await door.get(where)).json()
    provider.answers = [SECRET]
    await provider.wait_for(_no, 8.0)
    assert (await (await door.get(where)).json())["client_secret"] == "canary-secret"


async def _no():
    return False


async def test_a_refused_payment_is_402_and_kept(door, cart, provider, store):
    provider.answers = ["card_declined"]
    first = await complete(door, cart)
    told = await problem(first, "payment_failed")
    assert told["order"].startswith("ord_")
    assert told["payment"].startswith("pay_")
    again = await complete(door, cart)
    assert again.status == 402
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await again.read() == await first.read()


async def test_completing_again_under_another_key_gives_the_same_order(door, cart, provider):
    provider.answers = [SECRET]
    first = await (await complete(door, cart, key="c1")).json()
    second = await complete(door, cart, key="c2")
    assert second.status == 200
    assert (await second.json())["order"]["id"] == first["order"]["id"]


async def test_while_the_first_call_waits_its_key_is_in_progress(door, cart, provider):
    seen = []

    async def meanwhile():
        seen.append(await complete(door, cart))

    provider.meanwhile, provider.answers = meanwhile, [SECRET]
    assert (await complete(door, cart)).status == 201
    told = await problem(seen[0], "idempotency_key_in_progress")
    assert told["retryable"] is True
    assert seen[0].headers["Retry-After"] == "2"
    assert (await complete(door, cart)).headers["Idempotent-Replayed"] == "true"


async def test_a_call_whose_process_died_waiting_runs_again_to_the_same_order(
    door, cart, provider, clock
):
    async def die():
        raise RuntimeError("kill -9")

    provider.meanwhile = die
    await problem(await complete(door, cart), "internal")
    await problem(await complete(door, cart), "idempotency_key_in_progress")
    clock.advance(120)
    provider.answers = [SECRET]
    again = await complete(door, cart)
    body = await again.json()
    assert again.status == 200
    assert body["payment"]["client_secret"] == "canary-secret"
    orders = (await (await door.get("/v1/orders")).json())["items"]
    assert [order["id"] for order in orders] == [body["order"]["id"]]


async def test_the_wrong_total_is_refused_with_the_right_one(door, cart):
    wrong = {"amount": 1, "currency": EUR}
    told = await problem(await complete(door, cart, expected_total=wrong), "cart_changed")
    assert told["current_total"] == TOTAL


async def test_what_is_not_there_cannot_be_sold(door, cart, store):
    await store.write(lambda tx: tx.connection.exec_driver_sql("UPDATE stock SET on_hand = 1"))
    told = await problem(await complete(door, cart), "out_of_stock")
    assert [(item["sku"], item["available"]) for item in told["items"]] == [("MUG", 1)]
    assert await (await door.get("/v1/orders")).json() == {"items": [], "next": None}


async def test_an_unknown_connector_is_named(door, cart):
    told = await problem(
        await complete(door, cart, payment={"connector": "nope"}), "validation_error"
    )
    assert told["errors"][0]["pointer"] == "/payment/connector"


async def test_only_the_shop_sees_the_secret_and_only_until_it_is_paid(doors, sale):
    where = f"/v1/payments/{sale['payment']['id']}"
    for door in doors.values():
        assert "client_secret" not in await (await door.get(where)).json()


async def test_staff_never_see_the_secret(doors, cart, provider):
    provider.answers = [SECRET]
    made = await (await complete(doors["shop"], cart)).json()
    where = f"/v1/payments/{made['payment']['id']}"
    sees = {r: "client_secret" in await (await d.get(where)).json() for r, d in doors.items()}
    assert sees == {"admin": True, "shop": True, "support": False, "readonly": False}


# -- orders made elsewhere -------------------------------------------------------------------------
async def test_an_order_made_elsewhere_is_known_by_its_reference(door):
    made = await door.post("/v1/orders", ELSEWHERE, key="o1")
    assert made.status == 201
    body = await made.json()
    told = await problem(await door.post("/v1/orders", ELSEWHERE, key="o2"), "external_ref_exists")
    assert told["order"] == body["id"]
    assert await (await door.get(f"/v1/orders/{body['id']}")).json() == body


async def test_an_order_without_a_key_is_not_taken(door):
    await problem(await door.post("/v1/orders", ELSEWHERE), "idempotency_key_missing")


# -- reading ---------------------------------------------------------------------------------------
async def test_what_has_not_changed_is_304(door, sale):
    for where in (f"/v1/orders/{sale['order']['id']}", f"/v1/payments/{sale['payment']['id']}"):
        tag = (await door.get(where)).headers["ETag"]
        same = await door.get(where, headers={"If-None-Match": f'"x", W/{tag}'})
        assert (same.status, same.headers["ETag"], await same.read()) == (304, tag, b"")
        other = await door.get(where, headers={"If-None-Match": '"99"'})
        assert other.status == 200


async def test_an_order_shows_beside_it_what_is_asked(door, sale):
    where = f"/v1/orders/{sale['order']['id']}"
    answer = await door.get(where + "?expand=payments,events,jobs,cases")
    body = await answer.json()
    assert "ETag" not in answer.headers
    assert [paid["state"] for paid in body["payments"]] == ["captured"]
    assert "shop.order.paid" in [event["type"] for event in body["events"]]
    assert [job["action"] for job in body["jobs"]] == ["create_payment"]
    assert body["cases"] == []
    await problem(await door.get(where + "?expand=secrets"), "validation_error")


async def test_orders_are_found_by_what_they_are(door, sale, clock):
    clock.advance(60)
    later = clock.now().isoformat().replace("+00:00", "Z")
    await door.post("/v1/orders", ELSEWHERE, key="o1")

    async def refs(query):
        body = await (await door.get("/v1/orders", params=query)).json()
        return [order.get("external_ref", "cart") for order in body["items"]]

    assert await refs({}) == ["S-1", "cart"]
    assert await refs({"lifecycle": "placed"}) == ["cart"]
    assert await refs({"lifecycle": "placed,pending_payment"}) == ["S-1", "cart"]
    assert await refs({"payment_status": "paid"}) == ["cart"]
    assert await refs({"email": "BOB@example.com"}) == ["S-1"]
    assert await refs({"external_ref": "S-1"}) == ["S-1"]
    assert await refs({"created[gte]": later}) == ["S-1"]
    assert await refs({"created[lte]": later}) == ["S-1", "cart"]
    assert await refs({"customer": sale["order"]["customer"]["id"]}) == ["cart"]


async def test_pages_lead_on_without_gap_or_repeat(door):
    for n in range(5):
        await door.post("/v1/orders", ELSEWHERE | {"external_ref": f"S-{n}"}, key=f"o{n}")
    seen, where = [], "/v1/orders?limit=2"
    while where:
        answer = await door.get(where)
        seen += [order["external_ref"] for order in (await answer.json())["items"]]
        link = answer.links.get("next")
        where = str(link["url"].relative()) if link else None
    assert seen == ["S-4", "S-3", "S-2", "S-1", "S-0"]


async def test_a_cursor_belongs_to_its_list_and_filters(door):
    for n in range(3):
        await door.post("/v1/orders", ELSEWHERE | {"external_ref": f"S-{n}"}, key=f"o{n}")
    cursor = (await (await door.get("/v1/orders?limit=1")).json())["next"]
    for where in (
        f"/v1/orders?email=x@y.z&after={cursor}",
        f"/v1/events?after={cursor}",
        f"/v1/orders?after={cursor[:-2]}AA",
        "/v1/orders?after=1",
        "/v1/orders?after=%00",
    ):
        await problem(await door.get(where), "validation_error")
    assert (await door.get(f"/v1/orders?limit=2&after={cursor}")).status == 200


# -- refunds ---------------------------------------------------------------------------------------
async def test_a_refund_is_asked_for_by_a_job(doors, sale):
    where = f"/v1/payments/{sale['payment']['id']}/refunds"
    body = {"amount": {"amount": 500, "currency": EUR}, "reason": "chipped"}
    answer = await doors["support"].post(where, body, key="r1")
    refund = await answer.json()
    assert answer.status == 202
    assert refund["state"] == "requested"
    read = await doors["readonly"].get(f"/v1/refunds/{refund['id']}")
    assert await read.json() == refund
    jobs = await (await doors["admin"].get("/v1/jobs?connector=pay")).json()
    assert [job["action"] for job in jobs["items"]] == ["refund", "create_payment"]


async def test_more_than_was_paid_is_not_given_back(door, sale):
    where = f"/v1/payments/{sale['payment']['id']}/refunds"
    ask = {"amount": {"amount": 1981, "currency": EUR}}
    told = await problem(await door.post(where, ask, key="r1"), "amount_exceeds_captured")
    assert told["refundable"] == TOTAL
    chf = {"amount": {"amount": 1, "currency": "CHF"}}
    await problem(await door.post(where, chf, key="r2"), "currency_mismatch")
    nothing = {"amount": {"amount": 0, "currency": EUR}}
    await problem(await door.post(where, nothing, key="r3"), "validation_error")
    await problem(await door.post("/v1/payments/none/refunds", ask, key="r4"), "not_found")
