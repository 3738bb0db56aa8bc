"""`hub webhooks subscribers`, and why the connector of all of them is not paused as one."""

import base64

from hub.model import Event
from hub.secrets import Secret
from hub.subscribers import SigningKey, Subscriber
from store import subscribers

KEY = SigningKey(secret=Secret("whsec_" + base64.b64encode(b"a" * 32).decode()))
URL = "https://wms.example.com/hook"


def subscribe(hub):
    for ident in ("we_1", "we_2"):
        one = Subscriber(id=ident, url=URL, types=("shop.order.*",), keys=(KEY,))
        hub.do(lambda tx, one=one: subscribers.add(tx, one))


def emit(hub):
    return hub.do(lambda tx: tx.emit(Event(type="shop.order.paid", at=tx.now, data={}))).id


def claimed(hub):
    from store.claims import claim  # noqa: PLC0415

    return hub.do(
        lambda tx: [j.account for j in claim(tx, {"webhook": 9}, node="n", until=tx.now)[0]]
    )


def test_one_is_disabled_its_deliveries_wait_and_go_on(hub):
    subscribe(hub)
    assert hub("webhooks", "subscribers", "disable", "we_1", "--note", "moving") == 0, hub.err
    event = emit(hub)
    one, two = hub.rows("webhooks", "subscribers")
    assert (one["id"], one["url"], one["types"]) == ("we_1", URL, "shop.order.*")
    assert one["disabled"].endswith(": moving")
    assert two["disabled"] is None
    assert claimed(hub) == ["webhook/we_2"]
    [told] = hub.rows("webhooks", "subscribers", "deliveries", "we_1")
    assert (told["event"], told["state"]) == (event, "ready")
    assert hub("webhooks", "subscribers", "enable", "we_1", says="we_1 is enabled") == 0
    assert hub.rows("webhooks", "subscribers")[0]["disabled"] is None
    assert claimed(hub) == ["webhook/we_1"]
    acts = [row.what for row in hub.audited()]
    assert acts[-2:] == ["connector.pause", "connector.resume"]


def test_one_that_is_not_there_is_exit_1(hub):
    for act in ("disable", "enable", "deliveries"):
        assert hub("webhooks", "subscribers", act, "we_9", says="no webhook endpoint we_9") == 1


def test_all_of_them_are_not_paused_as_one_account(hub):
    path = hub.home / "config.yaml"
    text = path.read_text().replace("other: { type: toy }", "webhook: { type: webhook }")
    path.write_text(text)
    says = "stop one with hub webhooks subscribers disable ID, all with connectors.webhook.paused"
    assert hub("connectors", "pause", "webhook", says=says) == 1
    assert hub.audited() == []
