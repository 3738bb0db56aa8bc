"""Canaries: secrets, a person and a sealed word are looked for wherever they must not be.

S12, S13 and S29 of the security tests: 0 hits in logs, errors, metrics, `--json`, the database's
clear columns, its log of writes and a backup; and of a person who was forgotten, none anywhere.
"""

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import ERP, ERP_DEAL
from tests.e2e.shop import Shop, until
from tests.e2e.stage import QUICK_RETRIES, Hub, Sandbox, environment

MAIL, NAME, STREET = "canary.person@example.com", "Canaryperson", "Canarystreet 7"
PERSON = (MAIL, NAME, STREET, "canary.person")
SEALED = "canary-in-a-sealed-column"
LISTS = (
    ("jobs",), ("jobs", "--state", "dead"), ("events",), ("inbox",), ("webhooks",), ("keys",),
    ("connectors",), ("connectors", "status"), ("cases",), ("routes",), ("config", "show"),
    ("verify",), ("pull",), ("webhooks", "subscribers"), ("secrets", "rotate"),
)  # fmt: skip
ALL = """\
import sys
from hub.cli import _hub
for words in map(str.split, sys.argv[1:]):
    sys.argv[1:] = [*words, "--json"]
    try:
        _hub(words)()
    except SystemExit:
        pass
"""
"""Runs many commands in one process: their start costs more than they do."""
KNOWN = {"customers", "carts", "orders", "payments", "fulfilments"}
"""The tables whose clear columns are searched by name, address or mail: docs/backup.md says so."""


@pytest.fixture
async def shop(tmp_path: Path, sandbox: Sandbox) -> AsyncIterator[Shop]:
    home = tmp_path / "hub"
    home.mkdir()
    (home / "any.json").write_text('{"type": "object"}')
    (home / "erp-deal.yaml").write_text(ERP_DEAL)
    hub = Hub(home, sandbox, extra=QUICK_RETRIES + ERP, include="erp-deal.yaml")
    try:
        hub.start()
        async with Shop(hub) as made:
            await made.stock("tee")
            yield made
            await made.forget_faults()
    finally:
        hub.kill()


def secrets_of(hub: Hub) -> dict[str, str]:
    """Give every secret of the configuration, by its file, and the API key."""
    files = [path for path in hub.home.rglob("*") if path.parent.name == "secrets"]
    found = {path.name: path.read_text().strip() for path in files}
    assert len(found) >= 8, found.keys()
    return found | {"an API key": hub.key}


async def play(shop: Shop) -> str:
    """Sell, fail in several ways, be lied to; give the person's id."""
    await shop.fault("hubspot", "500", times=2)
    await shop.fault("sendgrid", "cut", times=1)
    customer = {"email": MAIL, "first_name": "Ann", "last_name": NAME}
    price = {"amount": 2900, "currency": "EUR"}
    body = {
        "external_ref": "C-1", "currency": "EUR", "customer": customer,
        "lines": [{"sku": "tee", "title": "Tee", "qty": 1, "unit_price": price}],
        "shipping_address": {"street": STREET, "city": "Berlin", "country": "DE"},
    }  # fmt: skip
    bought = await shop.make("/v1/orders", body)
    _, payment = await shop.orders(MAIL)
    await shop.pays(payment)
    for data in (
        {"ref": "R-1", "stage": "closedwon", "note": SEALED},
        {"note": SEALED, "email": MAIL},
    ):
        told = {"type": "erp.deal_changed", "data": data | {"note": SEALED}}
        await shop.make("/v1/events", told)
    forged = {"Stripe-Signature": "t=1,v1=00", "X-Canary": SEALED}
    url = f"{shop.hub.url}/webhooks/stripe"
    async with shop.session.post(url, data=f'{{"mail": "{MAIL}"}}', headers=forged) as answer:
        assert answer.status == 401
    status, refused = await shop.ask("POST", "/v1/orders", {"customer": {"email": MAIL, "x": NAME}})
    assert status == 400, refused

    async def quiet() -> bool:
        states = [job["state"] for job in (await shop.get("/v1/jobs?limit=100"))["items"]]
        return not {"ready", "waiting", "leased"} & set(states) and len(states) > 4

    await until(quiet, "every job has ended or is for a person", within=60)
    return str(bought["customer"]["id"])


def hits(text: str, *canaries: str) -> list[str]:
    return [text[max(0, at.start() - 80) : at.end() + 20]
            for word in canaries for at in re.finditer(re.escape(word), text)]  # fmt: skip


async def said(shop: Shop) -> dict[str, str]:
    """Give all that the hub says to anyone who did not ask for a person or a payload."""
    told = {"HUB_CONFIG": str(shop.hub.ground.config)}
    lists = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", ALL, *map(" ".join, LISTS)],
        cwd=shop.hub.home, env=environment(shop.hub.home) | told, capture_output=True,
        check=True, text=True, timeout=100,
    )  # fmt: skip
    assert lists.stdout.count("erp-deal") > 0
    found = {"lists": lists.stdout, "their errors": lists.stderr}
    for path in ("/metrics", "/livez", "/readyz", "/openapi.json", "/v1/jobs", "/v1/cases"):
        headers = {"Authorization": f"Bearer {shop.hub.key}"}
        async with shop.session.get(shop.hub.url + path, headers=headers) as answer:
            found[path] = await answer.text()
    return found | {"log": shop.hub.said(), "stderr": "".join(shop.hub.stderr)}


def clear_columns(file: Path, *canaries: str) -> dict[str, list[str]]:
    """Name the tables of which a text says one of these, with what it says."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            rows = map(str, connection.execute(f'SELECT * FROM "{name}"'))
            if told := [hit for row in rows for hit in hits(row, *canaries)]:
                found[name] = told
    return found


@pytest.mark.timeout(180)
async def test_no_canary_sings(shop: Shop) -> None:
    hub, person = shop.hub, await play(shop)
    backup = hub.home / "backup.db"
    hub.cli("backup", str(backup))
    secrets = secrets_of(hub)
    for where, text in (await said(shop)).items():
        assert hits(text, *secrets.values(), *PERSON) == [], where
    assert clear_columns(hub.home / "hub.db", *PERSON).keys() <= KNOWN
    for file in (hub.home / "hub.db", hub.home / "hub.db-wal", backup):
        raw = file.read_bytes()
        assert [name for name, one in secrets.items() if one.encode() in raw] == [], file
        assert SEALED.encode() not in raw, file

    await shop.make(f"/v1/customers/{person}/anonymise", {})
    assert hub.stop() == 0
    with closing(sqlite3.connect(hub.home / "hub.db")) as connection:
        connection.execute("VACUUM")
    raw = (hub.home / "hub.db").read_bytes()
    assert [word for word in PERSON if word.encode() in raw] == []
    assert hits(hub.said(), *PERSON) == []
