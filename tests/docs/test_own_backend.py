"""docs/own-backend.md holds: its code is run against a hub, its answers and events are compared."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub import config as configuration
from hub.app import Hub
from hub.demo.ground import prepare
from hub.doubles import application, double
from hub.serving import listen
from hub.shop.orders import NewOrder, Person
from hub.shop.stating import StatedPayment
from hub.shop.vocabulary import VOCABULARY
from store.keys import create_key
from tests.docs import pages
from tests.docs.php import literal
from tests.e2e.shop import until
from tests.e2e.stage import free_port

PAGE = pages.pages()["docs/own-backend.md"]
FILES = pages.named(PAGE)
PROVIDERS = ("stripe", "hubspot", "sendgrid", "segment")
OVER = {"done", "skipped", "dead", "cancelled", "uncertain"}
NODE = shutil.which("node")
PHP = shutil.which("php")
NEEDS_NODE = pytest.mark.skipif(NODE is None, reason="there is no node on this machine")


class Stage:
    """A hub with the page's own event type and route, and the doubles it calls."""

    def __init__(self, url: str, key: str, base: str, doubles: dict[str, Any]) -> None:
        self.url, self.key, self.base, self.doubles = url, key, base, doubles

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Call the API; give status, headers and body."""
        headers = {"Authorization": f"Bearer {self.key}"} | (
            {"Idempotency-Key": key} if key else {}
        )
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, json=body, headers=headers) as answer,
        ):
            return answer.status, answer.headers, await answer.json(content_type=None)

    async def timeline(self, order: str) -> list[dict[str, Any]]:
        return list((await self.ask("GET", f"/v1/orders/{order}/timeline"))[2]["items"])

    async def told(self, order: str) -> list[dict[str, Any]]:
        """Wait until an order's jobs have ended; give its story."""

        async def over() -> list[dict[str, Any]]:
            story = await self.timeline(order)
            jobs = [entry for entry in story if entry["kind"] == "job"]
            return story if jobs and all(job["state"] in OVER for job in jobs) else []

        return await until(over, "every job of the order has ended")

    def count(self, kind: str, effect: str) -> int:
        return sum(one.kind == effect for one in self.doubles[kind].state.ledger)


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[Stage]:
    doubles = {kind: double(kind) for kind in PROVIDERS}
    async with served(application(doubles)) as base:
        ground = prepare(tmp_path, listen=f"127.0.0.1:{free_port()}", base=base)
        write(tmp_path)
        ground.config.write_text(ground.config.read_text().replace('include: ["', INCLUDES, 1))
        for kind, secret in ground.signing.items():
            doubles[kind].send_to(ground.webhook_url(kind), secret)
        hub = Hub(configuration.load(ground.config, env={}, shop=VOCABULARY))
        await hub.start()
        runner = await listen(hub)
        try:
            made = await hub.store.write(lambda tx: create_key(tx, "shop", "the page"))
            yield Stage(f"http://{ground.listen}", made["key"], base, doubles)
        finally:
            hub.drain()
            await runner.cleanup()
            await hub.stop()


INCLUDES = 'include: ["config/reviews.yaml", "mappings.d/*.yaml", "'


def write(home: Path) -> None:
    """Write the files that the page shows."""
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def played(program: str, home: Path, name: str, url: str, key: str) -> list[Any]:
    """Run a file of the page; give the JSON values it prints, or fail with what it said."""
    env = {"PATH": os.environ["PATH"], "HUB_URL": url, "HUB_API_KEY": key}
    running = await asyncio.create_subprocess_exec(
        program, str(home / name), env=env, cwd=home,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await asyncio.wait_for(running.communicate(), 60)
    assert running.returncode == 0, said.decode()
    return out.decode().splitlines()


# -- the five lines --------------------------------------------------------------------------------
async def test_pythons_order_and_event_are_stored_and_told_once(stage, tmp_path):
    lines = await played(sys.executable, tmp_path, "shop_hub.py", stage.url, stage.key)
    order, event = (json.loads(line) for line in lines)
    assert (order["external_ref"], order["payment_status"]) == ("R-1001", "paid")
    assert (event["type"], event["data"]["stars"]) == ("review.written", 5)
    story = await stage.told(order["id"])
    assert [e["type"] for e in story if e["kind"] == "event" and e["type"].startswith("shop.")] == [
        "shop.order.created",
        "shop.payment.created",
        "shop.payment.captured",
        "shop.order.payment_status_changed",
        "shop.order.placed",
        "shop.order.paid",
    ]
    assert {entry["state"] for entry in story if entry["kind"] == "job"} == {"done"}
    await until(lambda: reviewed(stage), "the event's route has told Segment")
    assert stage.count("hubspot", "contact") == stage.count("hubspot", "deal") == 1
    assert stage.count("sendgrid", "mail") == 1


async def reviewed(stage: Stage) -> bool:
    found = [one.data for one in stage.doubles["segment"].state.ledger]
    return sorted(one["event"] for one in found) == ["Order Completed", "Review Written"]


@NEEDS_NODE
async def test_javascripts_order_and_event_are_the_same_requests(stage, tmp_path):
    await played(sys.executable, tmp_path, "shop_hub.py", stage.url, stage.key)
    await played(NODE, tmp_path, "shop-hub.mjs", stage.url, stage.key)
    _, _, found = await stage.ask("GET", "/v1/orders")
    assert [order["external_ref"] for order in found["items"]] == ["R-1001"]
    _, _, feed = await stage.ask("GET", "/v1/events?types=review.written")
    assert len(feed["items"]) == 1


async def test_phps_order_and_event_are_the_same_requests(stage, tmp_path):
    await played(sys.executable, tmp_path, "shop_hub.py", stage.url, stage.key)
    for name, path, key in (
        ("order", "/v1/orders", "order-R-1001"),
        ("review", "/v1/events", "review-rev-77"),
    ):
        assert f"tell_surely('{path}', '{key}', ${name});" in FILES["shop_hub.php"]
        body = literal(FILES["shop_hub.php"], name)
        status, headers, _ = await stage.ask("POST", path, body, key)
        assert (status, headers.get("Idempotent-Replayed")) == (201, "true")
        status, _, problem = await stage.ask("POST", path, body | {"more": 1}, key)
        assert status == 400, problem


@pytest.mark.skipif(PHP is None, reason="there is no php on this machine")
async def test_phps_code_runs(stage, tmp_path):
    await played(PHP, tmp_path, "shop_hub.php", stage.url, stage.key)
    _, _, found = await stage.ask("GET", "/v1/orders")
    assert [order["external_ref"] for order in found["items"]] == ["R-1001"]


# -- when no answer comes --------------------------------------------------------------------------
LANGUAGES = [
    pytest.param(sys.executable, "shop_hub.py", id="python"),
    pytest.param(NODE, "shop-hub.mjs", id="javascript", marks=NEEDS_NODE),
]


@pytest.mark.parametrize(("program", "name"), LANGUAGES)
async def test_a_lost_answer_is_asked_for_again_and_nothing_is_made_twice(
    stage, tmp_path, program, name
):
    keys = []

    async def lossy(request: web.Request) -> web.StreamResponse:
        """Pass on a request; the first one's answer is lost on the way back."""
        keys.append(request.headers["Idempotency-Key"])
        status, _, body = await stage.ask("POST", request.path, await request.json(), keys[-1])
        if len(keys) == 1:
            request.transport.close()
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", lossy)
    async with served(app) as url:
        await played(program, tmp_path, name, url, stage.key)
    assert keys == ["order-R-1001", "order-R-1001", "review-rev-77"]
    _, _, found = await stage.ask("GET", "/v1/orders")
    assert len(found["items"]) == 1


@pytest.mark.parametrize(("program", "name"), LANGUAGES)
async def test_a_refusal_is_not_sent_again(stage, tmp_path, program, name):
    seen = []

    async def refuse(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"code": "validation_error"}, status=400)

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    async with served(app) as url:
        with pytest.raises(AssertionError):
            await played(program, tmp_path, name, url, stage.key)
    assert seen == ["/v1/orders"]


async def test_refusals_are_what_the_page_says(stage):
    order = literal(FILES["shop_hub.php"], "order")
    status, _, made = await stage.ask("POST", "/v1/orders", order, "one")
    assert status == 201
    status, _, problem = await stage.ask("POST", "/v1/orders", order, "another")
    assert (status, problem["code"]) == (409, "external_ref_exists")
    assert problem["order"] == made["id"]
    status, _, problem = await stage.ask("POST", "/v1/orders", order | {"test": True}, "one")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    wrong = order | {"external_ref": "R-2", "total": {"amount": 1, "currency": "EUR"}}
    status, _, problem = await stage.ask("POST", "/v1/orders", wrong, "two")
    assert (status, [e["pointer"] for e in problem["errors"]]) == (400, ["/total"])
    right = wrong | {"total": order["total"], "payments": []}
    status, _, _ = await stage.ask("POST", "/v1/orders", right, "two")
    assert status == 201, "a refusal uses up no key"


# -- payments --------------------------------------------------------------------------------------
async def test_the_provider_confirms_the_shops_word_and_adds_nothing(stage):
    intent = await stripe(stage, "/v1/payment_intents", amount="6290", currency="eur")
    order = paid_by(intent["id"])
    _, _, made = await stage.ask("POST", "/v1/orders", order, "confirmed")
    await stripe(stage, f"/_customer/payment_intents/{intent['id']}/pay")

    async def heard() -> bool:
        return "stripe.payment_intent.succeeded" in [
            e.get("type") for e in await stage.told(made["id"])
        ]

    await until(heard, "Stripe's own word has come")
    _, _, now = await stage.ask("GET", f"/v1/orders/{made['id']}")
    assert (now["payment_status"], now["captured"]["amount"]) == ("paid", 6290)
    assert stage.count("sendgrid", "mail") == 1


async def test_another_amount_holds_the_order(stage):
    intent = await stripe(stage, "/v1/payment_intents", amount="100", currency="eur")
    _, _, made = await stage.ask("POST", "/v1/orders", paid_by(intent["id"]), "short")
    await stripe(stage, f"/_customer/payment_intents/{intent['id']}/pay")

    async def held() -> bool:
        return "shop.order.held" in [e.get("type") for e in await stage.timeline(made["id"])]

    await until(held, "the order is held")


async def test_an_order_without_a_payment_is_placed_but_never_paid(stage):
    order = literal(FILES["shop_hub.php"], "order") | {"placed_at": "2026-03-01T10:00:00Z"}
    order.pop("payments")
    _, _, made = await stage.ask("POST", "/v1/orders", order, "elsewhere")
    story = await stage.timeline(made["id"])
    types = [entry["type"] for entry in story if entry["kind"] == "event"]
    assert types == ["shop.order.created", "shop.order.placed"]


def paid_by(ref: str) -> dict[str, Any]:
    order = literal(FILES["shop_hub.php"], "order")
    order["payments"][0]["provider_ref"] = ref
    return order


async def stripe(stage: Stage, path: str, **form: str) -> Any:
    """Ask Stripe's double, as the shop's own backend or its customer does."""
    headers = {"Authorization": "Bearer sk_test_the_shops_own"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.base}/stripe{path}", data=form, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


# -- words -----------------------------------------------------------------------------------------
def test_the_page_names_every_field_of_an_order():
    part = PAGE.partition("## An order")[2].partition("## Payments you take")[0]
    fields = {*NewOrder.model_fields, *Person.model_fields, *StatedPayment.model_fields}
    assert {name for name in fields if not re.search(rf"\b{name}\b", part)} == set()


def test_the_pages_configuration_and_mapping_have_no_fault(tmp_path):
    ground = prepare(tmp_path, listen="127.0.0.1:1", base="http://127.0.0.1:2")
    write(tmp_path)
    ground.config.write_text(ground.config.read_text().replace('include: ["', INCLUDES, 1))
    assert configuration.check(ground.config, {}, shop=VOCABULARY) == []


async def test_an_event_that_breaks_its_schema_is_refused_by_field(stage):
    event = literal(FILES["shop_hub.php"], "review")
    event["data"]["stars"] = 6
    status, _, problem = await stage.ask("POST", "/v1/events", event, "six")
    assert (status, problem["errors"][0]["pointer"]) == (400, "/data/stars")


async def test_imported_orders_mail_nobody(stage):
    order = literal(FILES["shop_hub.php"], "order") | {"origin": "import"}
    status, _, made = await stage.ask("POST", "/v1/orders", order, "old")
    assert (status, made["payment_status"]) == (201, "paid")
    story = await stage.timeline(made["id"])
    assert [entry for entry in story if entry["kind"] == "job"] == []
