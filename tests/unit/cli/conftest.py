"""A configured hub with a toy provider, and its command line run in this process."""

import asyncio
import json
import sys

import pytest
from sqlalchemy import select

from hub import cli
from hub.cli import ground
from hub.model import Event
from store.crypto import new_key
from store.schema import audit

TOY = """
from pydantic import BaseModel

from hub import Call, Connector, ConnectorSettings, Outcome, action, unsafe, upsert


class Item(BaseModel):
    name: str


class Toy(Connector):
    type = "toy"

    class Settings(ConnectorSettings):
        base_url: str = "https://toy.example"

    @action(effect=upsert("name"))
    async def put(self, call: Call, item: Item) -> Outcome:
        return Outcome()

    @action(effect=unsafe, kind="message")
    async def mail(self, call: Call, item: Item) -> Outcome:
        return Outcome()
"""
CONFIG = """
version: 1
plugins: [./plugins]
include: [map-*.yaml]
store: {{ url: "sqlite:///{home}/hub.db", encryption_keys: ["${{env:KEY}}"] }}
events: {{ sale.made: {{ schema: sale.json }} }}
connectors: {{ toy: {{ type: toy }}, other: {{ type: toy }} }}
routes:
  - {{ name: put, on: sale.made, do: toy.put, map: put, origins: [live, replay] }}
  - {{ name: mail, on: sale.made, do: toy.mail, map: mail, on_uncertain: park }}
"""
MAPPING = """
mapping: {name}
from: sale.made
to: toy.{name}
map: {{ name: "{{{{ data.{field} }}}}" }}
"""


class Line:
    """The command line of one shop; each call gives its exit code, and keeps what it said."""

    def __init__(self, home, capfd, monkeypatch):
        self.home, self.capfd, self.monkeypatch = home, capfd, monkeypatch
        self.out = self.err = ""
        self.maps("put", "name")
        self.maps("mail", "name")

    def maps(self, name, field):
        """Let a mapping read another field."""
        (self.home / f"map-{name}.yaml").write_text(MAPPING.format(name=name, field=field))

    def __call__(self, *words, says=""):
        self.monkeypatch.setattr(sys, "argv", ["hub", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        self.out, self.err = self.capfd.readouterr()
        assert says in self.out + self.err, (self.out, self.err)
        return code

    def rows(self, *words):
        assert self(*words, "--json") == 0, self.err
        return json.loads(self.out)

    def jobs(self, field="state"):
        """Give a field of every job, oldest first."""
        return [job[field] for job in self.rows("jobs", "--limit", "9999")[::-1]]

    def do(self, work):
        """Change the store as the hub would."""

        async def run():
            async with ground.opened(ground.load(self.home / "config.yaml")) as store:
                return await store.change(lambda tx, _: work(tx), None)

        return asyncio.run(run())

    def audited(self):
        """Give the audit's rows."""

        async def run():
            async with ground.opened(ground.load(self.home / "config.yaml")) as store:
                return await store.look(lambda tx: tx.rows(select(audit)))

        return asyncio.run(run())

    def sale(self, **data):
        """Let a sale happen; give its event's id."""
        told = data or {"name": "Ann"}
        return self.do(lambda tx: tx.emit(Event(type="sale.made", at=tx.now, data=told))).id


@pytest.fixture
def hub(tmp_path, capfd, monkeypatch):
    (tmp_path / "plugins" / "toy").mkdir(parents=True)
    (tmp_path / "plugins" / "toy" / "__init__.py").write_text(TOY)
    (tmp_path / "sale.json").write_text('{"type": "object"}')
    (tmp_path / "config.yaml").write_text(CONFIG.format(home=tmp_path))
    monkeypatch.setenv("KEY", new_key())
    monkeypatch.setenv("HUB_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.chdir(tmp_path)
    line = Line(tmp_path, capfd, monkeypatch)
    assert line("migrate") == 0, line.err
    return line
