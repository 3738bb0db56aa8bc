"""Bad input over HTTP and on the command line: refused by name, and nothing of it is stored."""

import asyncio
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from hub.secrets import Secret
from tests.e2e.shop import Shop
from tests.e2e.signing import stripe_signed
from tests.e2e.stage import TRACEBACK, Hub, run

EVENT = {
    "id": "evt_bad_input",
    "object": "event",
    "created": 1795200000,
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_bad", "object": "payment_intent", "amount_received": 1}},
}
BODY = json.dumps(EVENT).encode()
STRANGE = Secret("whsec_somebody_else", "strange")
MIB = 1 << 20


# -- webhooks --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "ago", "secret"),
    [
        pytest.param(BODY.replace(b": 1}", b": 99}"), 0, None, id="altered"),
        pytest.param(BODY, 301 + 5, None, id="stale"),
        pytest.param(BODY, -301 - 5, None, id="future"),
        pytest.param(BODY, 0, STRANGE, id="another's secret"),
    ],
)
async def test_a_webhook_whose_signature_does_not_hold_is_401_and_not_stored(
    hub: Hub, shop: Shop, body: bytes, ago: float, secret: Secret | None
) -> None:
    before = _kept(hub)
    headers = stripe_signed(BODY, secret or hub.ground.signing["stripe"], ago=ago)
    assert await _sent(shop, body, headers) == 401
    assert _kept(hub) == before


@pytest.mark.parametrize("kind", ["stripe", "hubspot", "sendgrid"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": "t=,v1=", "X-HubSpot-Signature-v3": "", "X-Request-Id": "x"},
        {"Stripe-Signature": "\xff", "X-HubSpot-Signature-v3": "\xff"},
        {"X-Twilio-Email-Event-Webhook-Signature": "!", "X-HubSpot-Request-Timestamp": "1e9"},
    ],
    ids=["unsigned", "empty", "not ascii", "no base64"],
)
async def test_a_webhook_without_a_signature_is_401_and_not_stored(
    hub: Hub, shop: Shop, kind: str, headers: dict[str, str]
) -> None:
    before = _kept(hub)
    assert await _sent(shop, BODY, headers, kind) == 401
    assert _kept(hub) == before


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{not json", id="no json"),
        pytest.param(b"[" * 100 + b"]" * 100, id="100 levels"),
        pytest.param(b'{"id": "evt_no_type"}', id="no event"),
        pytest.param(b"", id="empty"),
    ],
)
async def test_a_signed_webhook_that_cannot_be_read_is_kept_as_a_dead_job(
    hub: Hub, shop: Shop, body: bytes
) -> None:
    before = {job["uid"] for job in await _dead(shop)}
    headers = stripe_signed(body, hub.ground.signing["stripe"])
    assert [await _sent(shop, body, headers) for _ in range(3)] == [200] * 3
    [job] = [job for job in await _dead(shop) if job["uid"] not in before]
    assert job["action"] == "inbox.parse"
    assert "cannot be read" in job["error"]
    assert hub.rows("SELECT count(*) FROM inbox WHERE id = ?", job["inbox_id"]) == [(1,)]


async def test_an_event_of_an_unknown_type_is_kept_and_does_nothing(hub: Hub, shop: Shop) -> None:
    body = json.dumps({**EVENT, "id": "evt_new", "type": "brand.new", "data": {}}).encode()
    jobs = hub.rows("SELECT count(*) FROM job_keys")
    assert await _sent(shop, body, stripe_signed(body, hub.ground.signing["stripe"])) == 200
    assert hub.rows("SELECT count(*) FROM events WHERE type = 'stripe.brand.new'") == [(1,)]
    assert hub.rows("SELECT count(*) FROM job_keys") == jobs


@pytest.mark.parametrize(
    ("status", "kind", "method", "body", "headers"),
    [
        pytest.param(413, "stripe", "POST", b" " * (MIB + 1), {}, id="too large"),
        pytest.param(404, "nobody", "POST", BODY, {}, id="unknown connector"),
        pytest.param(404, "segment", "POST", BODY, {}, id="a connector without webhooks"),
        pytest.param(405, "stripe", "GET", None, {}, id="not posted"),
        pytest.param(415, "stripe", "POST", BODY, {"Content-Encoding": "br"}, id="unknown coding"),
    ],
)
async def test_a_webhook_that_is_none_is_refused(
    hub: Hub,
    shop: Shop,
    status: int,
    kind: str,
    method: str,
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    before = _kept(hub)
    if body is not None:
        headers = {**headers, **stripe_signed(body, hub.ground.signing["stripe"])}
    assert await _sent(shop, body, headers, kind, method) == status
    assert _kept(hub) == before


async def test_a_signed_body_that_unpacks_too_large_or_not_at_all_is_refused(
    hub: Hub, shop: Shop
) -> None:
    before = _kept(hub)
    for body, status in ((gzip.compress(b" " * 3 * MIB), 413), (b"no gzip", 400)):
        headers = stripe_signed(body, hub.ground.signing["stripe"]) | {"Content-Encoding": "gzip"}
        assert await _sent(shop, body, headers) == status
    assert _kept(hub) == before


# -- the shop's API --------------------------------------------------------------------------------
def cart(**changed: Any) -> dict[str, Any]:
    line = {"variant": "tee", "qty": 1}
    return {"currency": "EUR", "email": "bad@example.com", "lines": [line], **changed}


def order(**changed: Any) -> dict[str, Any]:
    price = {"amount": 100, "currency": "EUR"}
    line = {"sku": "X", "title": "X", "qty": 1, "unit_price": price}
    made = {"external_ref": "R-bad", "currency": "EUR", "customer": {"email": "bad@example.com"}}
    return {**made, "lines": [line], **changed}


def priced(amount: Any, currency: str) -> list[dict[str, Any]]:
    price = {"amount": amount, "currency": currency}
    return [{"sku": "X", "title": "X", "qty": 1, "unit_price": price}]


CARTS, ORDERS = "/v1/carts", "/v1/orders"


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "pointer"),
    [
        (CARTS, cart(lines=[{"variant": "no-such", "qty": 1}]), 400, "validation_error",
         "/lines/0/variant"),
        (CARTS, cart(currency="USD"), 422, "currency_mismatch", "/currency"),
        (CARTS, cart(currency="euro"), 400, "validation_error", "/currency"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": -1}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": 0}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": 10**7}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": 10**30}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": 1.5}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": "1"}]), 400, "validation_error",
         "/lines/0/qty"),
        (CARTS, cart(colour="red"), 400, "validation_error", "/colour"),
        (CARTS, cart(lines=[{"variant": "tee", "qty": 1, "gift": True}]), 400,
         "validation_error", "/lines/0/gift"),
        (CARTS, cart(email="nobody"), 400, "validation_error", "/email"),
        (ORDERS, order(lines=priced(100, "USD")), 422, "currency_mismatch",
         "/lines/0/unit_price/currency"),
        (ORDERS, order(lines=priced(-1, "EUR")), 400, "validation_error",
         "/lines/0/unit_price/amount"),
        (ORDERS, order(lines=[]), 400, "validation_error", "/lines"),
        (ORDERS, order(external_ref=None), 400, "validation_error", "/external_ref"),
        (ORDERS, order(placed_at="yesterday"), 400, "validation_error", "/placed_at"),
        ("/v1/events", {"type": "no.such", "data": {}}, 400, "validation_error", "/type"),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named(
    shop: Shop, path: str, body: Any, status: int, code: str, pointer: str
) -> None:
    before = shop.hub.rows("SELECT count(*) FROM events")
    answered, problem = await shop.ask("POST", path, body)
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"/problems/{code}"
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert shop.hub.rows("SELECT count(*) FROM events") == before


async def test_an_order_of_a_cart_nobody_has_is_not_found(shop: Shop) -> None:
    agreed = {"expected_total": {"amount": 1, "currency": "EUR"}}
    status, problem = await shop.ask("POST", "/v1/carts/car_none/complete", agreed)
    assert (status, problem["code"]) == (404, "not_found")


async def test_more_than_there_is_cannot_be_ordered(shop: Shop) -> None:
    lines = [{"variant": "tee", "qty": 10_000} for _ in range(11)]  # 110,000 of 100,000
    opened = await shop.make("/v1/carts", cart(lines=lines))
    agreed = {"expected_total": opened["totals"]["total"]}
    path = f"/v1/carts/{opened['id']}/complete"
    status, problem = await shop.ask("POST", path, agreed)
    assert (status, problem["code"]) == (409, "out_of_stock")
    assert problem["items"][0]["sku"] == "tee"


async def test_strangers_and_the_wrong_roles_are_shown_out(hub: Hub, shop: Shop) -> None:
    readonly = await asyncio.to_thread(hub.new_key, "readonly")
    for key, status, code in (("", 401, "unauthenticated"), (readonly, 403, "forbidden")):
        headers = {"Authorization": f"Bearer {key}"}
        answered, problem = await shop.ask("POST", "/v1/carts", cart(), **headers)
        assert (answered, problem["code"]) == (status, code)


# -- configuration and command line ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "place", "code"),
    [
        pytest.param("version: 1", "version: [1", "3:8", "yaml.syntax", id="broken yaml"),
        pytest.param("version: 1", "stoer: {}\nversion: 1", "2:1", "key.unknown", id="unknown key"),
        pytest.param("hubspot_token", "no_such", "19:32", "file.missing", id="missing secret"),
        pytest.param(
            "type: segment", "type: sigment", "29:11", "connector.type", id="unknown type"
        ),
    ],
)
def test_a_hub_with_a_broken_configuration_does_not_start_and_says_where(
    hub: Hub, tmp_path: Path, old: str, new: str, place: str, code: str
) -> None:
    text = hub.ground.config.read_text()
    assert old in text
    broken = hub.ground.config.with_name(f"{tmp_path.name}.yaml")
    broken.write_text(text.replace(old, new, 1))
    done = run("serve", "--config", str(broken), home=hub.home)
    broken.unlink()
    assert done.returncode == 1
    assert done.stderr.startswith(f"{broken}:{place}: error[{code}] "), done.stderr
    assert TRACEBACK not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nonsense",), 2),
        (("jobs", "--nonsense"), 2),
        (("jobs", "--limit", "many"), 2),
        (("jobs", "show", "job_none"), 1),
        (("orders", "show", "ord_none"), 1),
        (("keys", "create", "--role", "king"), 2),
        (("check", "no-such.yaml"), 2),
        (("serve", "--config", "no-such.yaml"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_command_used_wrongly_says_so(hub: Hub, words: tuple[str, ...], code: int) -> None:
    done = run(*words, home=hub.home, config=hub.ground.config)
    assert (done.returncode, bool(done.stderr)) == (code, True)
    assert TRACEBACK not in done.stderr + done.stdout


async def _sent(
    shop: Shop,
    body: bytes | None,
    headers: dict[str, str],
    kind: str = "stripe",
    method: str = "POST",
) -> int:
    url = f"{shop.hub.url}/webhooks/{kind}"
    data = None if body is None else io.BytesIO(body)
    async with shop.session.request(method, url, data=data, headers=headers) as answer:
        return answer.status


async def _dead(shop: Shop) -> list[dict[str, Any]]:
    return list((await shop.get("/v1/jobs?state=dead&connector=stripe&limit=200"))["items"])


def _kept(hub: Hub) -> list[tuple[Any, ...]]:
    """Count all that a webhook could leave behind."""
    tables = ("inbox", "dedupe", "events", "jobs", "job_history", "job_keys", "payment_facts")
    return [hub.rows(f"SELECT count(*) FROM {table}")[0] for table in tables]
