"""docs/connectors.md holds: its example is a connector, and everything else in it runs."""

import asyncio
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

import hub
from hub import config, testing
from hub.cli import connectors
from hub.clock import SystemClock
from hub.config.vocabulary import Vocabulary
from hub.doubles import application, double
from hub.http import Outbound
from hub.http.classify import Received, verdict
from hub.model import Request
from hub.plugin import Call
from hub.secrets import Secret
from hub.shop.vocabulary import SCHEMAS, SHOP_EVENTS
from hub.testing import delivery, folder, judge, outbound, provider

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/connectors.md").read_text()
FILES = dict(re.findall(r"^\*\*`([^`]+)`\*\*\n```\w+\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
SHOP = Vocabulary(events=SHOP_EVENTS, models=SCHEMAS)
FOLDER = ("fixtures/", "__init__.py", "sandbox.py", "README.md")
ENV = {
    "HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=",
    "PARCELO_API_KEY": "the-key-of-the-guide",
    "PARCELO_WEBHOOK_SECRET": "the-webhook-secret-of-the-guide",
}


@pytest.fixture(autouse=True)
def nothing_imported():
    """Each test imports its own copy."""
    yield
    for name in [name for name in sys.modules if name.startswith("hub_plugins.")]:
        del sys.modules[name]


def write(where: Path, only=(), kind="parcelo") -> Path:
    """Write the guide's files, of the connector or others."""
    for name, text in FILES.items():
        if name.startswith(only or FOLDER):
            path = where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace('type = "parcelo"', f'type = "{kind}"'))
    return where


def failures(home: Path) -> list[str]:
    return list(testing.report(home).failed)


@pytest.fixture
def parcelo(tmp_path):
    return write(tmp_path / "plugins" / "parcelo")


def test_the_example_is_bronze_and_a_look_away_from_silver(parcelo):
    found = testing.report(parcelo)
    assert (found.tier, found.failed) == ("bronze", ())
    assert set(found.missing["silver"]) == {
        f"a fixture of create_label answered {what}"
        for what in ("401", "429", "5xx", "by a cut or a hang")
    }


def test_the_example_is_at_most_120_lines_of_python():
    python = FILES["__init__.py"] + FILES["sandbox.py"]
    assert len(python.splitlines()) <= 120


def test_every_block_of_the_guide_is_a_file_that_some_test_here_runs():
    fences = re.findall(r"^```(\w+)\n", GUIDE, re.MULTILINE)
    shown = [fence for fence in fences if fence not in {"sh", "text"}]
    assert len(shown) == len(FILES)
    used = {name for name in FILES if name.startswith(FOLDER)}
    used |= {"signing.py", "test_connectors.py", "config.yaml", "mappings.d/order-to-parcelo.yaml"}
    assert FILES.keys() - used == {"example: a connector with a list, and answers of its own"}


def test_time_and_signature_in_one_header_keep_the_contract_too(tmp_path):
    folder = write(tmp_path / "one_header", kind="one_header")
    (folder / "signing.py").write_text(FILES["signing.py"])
    code = (folder / "__init__.py").read_text()
    line = next(one for one in code.splitlines() if one.startswith("SIGNING ="))
    (folder / "__init__.py").write_text(code.replace(line, "from . import signing as SIGNING"))
    assert "SIGNING.verify" in code
    assert failures(folder) == []


async def test_a_list_and_a_classified_answer_do_as_the_guide_says():
    names: dict = {}
    exec(FILES["example: a connector with a list, and answers of its own"], names)
    cls = names["Rolodex"]
    assert cls.actions()["upsert_contacts"].many
    made = cls("rolodex", cls.Settings(token=Secret("t")), None)

    def error(status, body):
        return verdict(Received(status, {}, body), made, now=datetime.now(UTC))

    assert str(error(422, b'{"Fault": "no such list"}')) == "no such list"
    assert isinstance(error(423, b"{}"), hub.Retry)
    assert isinstance(error(500, b"<html>"), hub.Ambiguous)
    good, bad = (names["_result"](one) for one in ({"id": "7"}, {"fault": "no email"}))
    assert (good.remote_id, str(bad.error)) == ("7", "no email")


def test_the_test_file_of_the_guide_runs_the_suite(tmp_path, parcelo):
    (tmp_path / "test_connectors.py").write_text(FILES["test_connectors.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_connectors.py"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    passed = re.search(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert passed, done.stdout
    assert int(passed[1]) == len(testing.cases(parcelo))


def test_the_configuration_of_the_guide_has_no_fault(tmp_path, parcelo):
    write(tmp_path, ("config.yaml", "mappings.d/"))
    assert config.check(tmp_path / "config.yaml", ENV, shop=SHOP) == []


def test_the_mapping_of_the_guide_is_checked_against_the_model(tmp_path, parcelo):
    write(tmp_path, ("config.yaml", "mappings.d/"))
    path = tmp_path / "mappings.d/order-to-parcelo.yaml"
    path.write_text(path.read_text().replace("  weight:", "  wait:"))
    faults = config.check(tmp_path / "config.yaml", ENV, shop=SHOP)
    assert any("weight" in fault.text for fault in faults)


# -- the double and its connector ------------------------------------------------------------------
async def played(home: Path, action: str, item: dict, secret: Secret):
    """Perform an action against the folder's double; give what came of it."""
    served, came = double(home.name, [home.parent]), asyncio.Queue()

    async def take(asked: web.Request) -> web.Response:
        request = Request(
            method="POST", url=str(asked.url), headers=asked.raw_headers, body=await asked.read()
        )
        await came.put(request)
        return web.Response()

    app = application({home.name: served})
    app.router.add_post("/webhook", take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        served.send_to(f"{base}/webhook", secret)
        cls, clock = served.connector, SystemClock()
        settings = cls.Settings(api_key=Secret("a-key"), base_url=f"{base}/{home.name}")
        async with Outbound(clock) as out:
            client = out.client(cls, settings, name=home.name, allow_private=["127.0.0.0/8"])
            made = cls(home.name, settings, client)
            deadline = clock.now() + timedelta(seconds=20)

            def call():
                return Call(
                    http=client.attempt(deadline=deadline), job="job_1", key="key-1", attempt=1,
                    deadline=deadline, links=None, log=None, clock=clock,
                )  # fmt: skip

            spec = cls.actions()[action]
            outcome = await getattr(made, action)(call(), spec.model(**item))
            looked = spec.lookup and await getattr(made, spec.lookup)(call(), spec.model(**item))
            request = await asyncio.wait_for(came.get(), 10)
            made.verify(request, secret, now=clock.now().timestamp())
            return outcome, looked, served.state.ledger, list(made.parse(request))
    finally:
        await runner.cleanup()


async def test_the_double_of_the_guide_sells_a_label_and_reports_it(parcelo):
    item = {"order": "ord_1", "weight": 900}
    outcome, looked, ledger, events = await played(parcelo, "create_label", item, Secret("s" * 20))
    assert (outcome.ref, looked.ref) == ("lab_1", "lab_1")
    assert [(one.kind, one.id, one.key) for one in ledger] == [("label", "lab_1", "key-1")]
    assert [(one.type, one.job, one.failed) for one in events] == [("parcel.sent", "job_1", False)]


async def test_the_double_that_new_writes_takes_a_message_and_reports_it(tmp_path):
    folder = tmp_path / "plugins" / "carrier_pigeon"
    assert list(connectors._written(folder, folder.name))
    item = {"to": "+491", "text": "coo"}
    outcome, _, ledger, events = await played(folder, "send_message", item, Secret("s" * 20))
    assert outcome.ref == ledger[0].id == "msg_1"
    assert [(one.type, one.job) for one in events] == [("message.sent", "job_1")]


# -- words -----------------------------------------------------------------------------------------
def test_the_guide_names_every_key_of_a_fixture():
    """The tables of §2 and the suite's own lists of keys are the same."""
    keys = {*folder.SETTINGS_KEYS, *delivery.FIXTURE, *delivery.REQUEST, *delivery.EXPECT}
    keys |= {*outbound.FIXTURE, *provider.CALL, *provider.ANSWER, *provider.FAULTS, *judge.EXPECT}
    second = GUIDE.partition("## 2.")[2].partition("## 3.")[0]
    assert {key for key in keys if not re.search(rf"\b{key}\b", second)} == set()


def test_the_guide_names_every_argument_of_hmac():
    sixth = GUIDE.partition("## 6.")[2].partition("## 7.")[0]
    fields = hub.schemes.Hmac.__dataclass_fields__
    assert {name for name in fields if f"| `{name}` |" not in sixth} == set()
