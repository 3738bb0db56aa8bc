"""Whole hubs that deliver, and the shop that speaks to them."""

import asyncio
import os
import re
import socket

from hub import config as configuration
from hub.demo.ground import prepare
from hub.model import Event
from hub.shop.vocabulary import VOCABULARY

YAML = """connectors:
  webhook:
    type: webhook
    egress: {{ allow_private: [127.0.0.0/8] }}
    settings:
      endpoints:
        warehouse: {{ url: "{url}", secrets: ["${{env:WMS_SECRET}}"], types: [shop.order.*] }}
"""


def configured(home, url, store=None, **env):
    """Write and read the config.yaml of a hub with a subscriber; of another store, where given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    ground = prepare(home, listen=listen, base="http://127.0.0.1:9")
    text = ground.config.read_text().replace("connectors:\n", YAML.format(url=url), 1)
    if store is not None:
        text = re.sub(r'url: "sqlite:.*"', f'url: "{store}"', text)
    ground.config.write_text(text)
    around = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    return configuration.load(ground.config, env=around | env, shop=VOCABULARY)


class Shop:
    """The shop's key at a running hub."""

    def __init__(self, hub, http, key):
        listens = hub.config.service.listen
        self.hub, self.http, self.key = hub, http, key
        self.url = f"http://{listens.host}:{listens.port}"

    async def send(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.http.request(method, self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def emit(self, name):
        event = Event(type=name, at=self.hub.clock.now(), data={"order": {"id": "ord_1"}})
        return await self.hub.store.write(lambda tx: tx.emit(event))


async def until(met):
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.005)
