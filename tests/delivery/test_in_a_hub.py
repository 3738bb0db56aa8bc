"""A whole hub delivers: subscribers of config.yaml and of the API, from the first event on."""

import asyncio
import base64
import os
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook as Oracle

from hub import config as configuration
from hub.app import Hub
from hub.demo.ground import prepare
from hub.errors import ConfigError
from hub.model import read_json
from hub.serving import running
from hub.shop.vocabulary import VOCABULARY
from store import keys
from tests.delivery.conftest import Receiver, secret
from tests.delivery.shops import Shop, configured, until


async def test_a_hub_delivers_to_those_of_config_yaml_and_of_the_api(tmp_path, receiver):
    config = configured(tmp_path, receiver.url, WMS_SECRET=secret("w").text())
    async with Receiver() as other, running(Hub(config)) as hub, aiohttp.ClientSession() as http:
        told = await hub.store.write(lambda tx: keys.create_key(tx, "shop"))
        shop = Shop(hub, http, told["key"])
        asked = {"url": other.url, "types": ["shop.*"], "asymmetric": True}
        status, made = await shop.send("POST", "/v1/webhook-endpoints", asked)
        assert status == 201
        event = await shop.emit("shop.order.paid")
        cart = await shop.emit("shop.cart.created")
        await until(lambda: receiver.taken and len(other.taken) == 2)
        assert receiver.taken == [event.id]
        assert sorted(other.taken) == sorted([event.id, cart.id])

        headers, body = receiver.seen[0]
        Oracle(secret("w").text()).verify(body, headers)
        _, feed = await shop.send("GET", "/v1/events?types=shop.order.*")
        assert feed["items"] == [read_json(body)]

        async with http.get(f"{shop.url}/webhook-keys/{made['id']}") as answer:
            assert answer.content_type == "application/jwk-set+json"
            [jwk] = (await answer.json())["keys"]
        verified_by(jwk, *other.seen[0])
        async with http.get(f"{shop.url}/webhook-keys/none") as answer:
            assert answer.status == 404

        status, _ = await shop.send("DELETE", "/v1/webhook-endpoints/warehouse")
        assert status == 409
        listed = (await shop.send("GET", "/v1/webhook-endpoints"))[1]["items"]
        assert {one["id"]: one["managed"] for one in listed} == {
            "warehouse": "config",
            made["id"]: "api",
        }


def verified_by(jwk, headers, body):
    """Check a `v1a` signature by a key of the JWKS page; raises where it is wrong."""
    raw = base64.urlsafe_b64decode(jwk["x"] + "=")
    version, signature = headers["webhook-signature"].split(",")
    assert (version, jwk["kty"], jwk["crv"]) == ("v1a", "OKP", "Ed25519")
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature), message)


async def test_paused_in_config_yaml_all_subscribers_wait(tmp_path, receiver, store_url):
    configured(tmp_path, receiver.url, store=store_url, WMS_SECRET=secret("w").text())
    text = (tmp_path / "config.yaml").read_text()
    paused = text.replace("type: webhook\n", "type: webhook\n    paused: true\n")
    for written, taken in ((paused, 0), (text, 3)):
        (tmp_path / "config.yaml").write_text(written)
        async with running(Hub(read(tmp_path))) as hub, aiohttp.ClientSession() as http:
            if not taken:
                await asyncio.gather(*(Shop(hub, http, "").emit("shop.order.paid") for _ in "123"))
                late = datetime.now(UTC) + timedelta(seconds=9)
                room = {"webhook": hub.runner.gates["webhook/warehouse"].rooms(late)}
                claimed, _ = await hub.store.claim(room, node="n", until=late)
                assert claimed == []
            await until(lambda taken=taken: len(receiver.taken) == taken)


async def test_one_that_leaves_config_yaml_is_gone_at_the_next_start(tmp_path, receiver):
    config = configured(tmp_path, receiver.url, WMS_SECRET=secret("w").text())
    async with running(Hub(config)) as hub:
        assert [one.subscriber.id for one in await listed(hub)] == ["warehouse"]
    ground = prepare(tmp_path / "again", listen="127.0.0.1:0", base="http://127.0.0.1:9")
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("        warehouse:", "        picker:"))
    async with running(Hub(read(tmp_path))) as hub:
        assert [one.subscriber.id for one in await listed(hub)] == ["picker"]
    assert ground.config.exists()


def read(home):
    env = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    env["WMS_SECRET"] = secret("w").text()
    return configuration.load(home / "config.yaml", env=env, shop=VOCABULARY)


async def listed(hub):
    from store import subscribers  # noqa: PLC0415

    return await hub.store.look(subscribers.all_kept)


async def test_a_url_that_may_not_be_called_keeps_the_hub_from_starting(tmp_path):
    config = configured(tmp_path, "https://10.0.0.1/hook", WMS_SECRET=secret("w").text())
    with pytest.raises(ConfigError, match=r"endpoints\.warehouse\.url"):
        await Hub(config).start()


def test_a_weak_secret_and_a_wrong_name_are_faults_of_the_file(tmp_path):
    with pytest.raises(ConfigError, match="whsec_"):
        configured(tmp_path, "https://wms.example.com/", WMS_SECRET="short")
    text = (tmp_path / "config.yaml").read_text().replace("  webhook:\n", "  hooks:\n")
    (tmp_path / "config.yaml").write_text(text)
    env = dict(os.environ) | {"WMS_SECRET": secret("w").text()}
    with pytest.raises(ConfigError, match="belong together"):
        configuration.load(tmp_path / "config.yaml", env=env, shop=VOCABULARY)
