"""`hub store copy`: what it shows, and what it says where it must not begin."""

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli import ground
from hub.clock import SystemClock
from store.store import Store
from tests.e2e.stage import ROOT, environment


@pytest.fixture
def target(empty_database) -> str:
    return str(empty_database.render_as_string(hide_password=False))


def on_the_file(hub, sql) -> None:
    hub.do(lambda tx: tx.connection.exec_driver_sql(sql))


def test_a_shop_is_copied_and_served_from_there(hub, target, monkeypatch):
    for _ in range(3):
        hub.sale()
    events = [event["id"] for event in hub.rows("events")]
    assert hub("store", "copy", "--to", target, says="tables are copied") == 0
    assert "HUB_STORE_URL" in hub.out
    assert hub.err == ""
    monkeypatch.setenv("HUB_STORE_URL", target)
    assert [event["id"] for event in hub.rows("events")] == events
    assert hub.jobs() == ["ready"] * 6
    assert hub("verify") == 0


def test_a_file_that_a_hub_serves_is_not_copied(hub, target):
    config = ground.load(hub.home / "config.yaml")

    async def copied_while_served() -> int:
        store = await Store.open(
            config.store.url, keys=config.store.encryption_keys, clock=SystemClock(), served=True
        )
        try:
            return await asyncio.to_thread(hub, "store", "copy", "--to", target)
        finally:
            await store.close()

    assert asyncio.run(copied_while_served()) == 1
    assert "error[store.single] SQLite serves one hub" in hub.err


def test_a_database_that_holds_something_is_not_written_over(hub, target):
    hub.sale()
    assert hub("store", "copy", "--to", target) == 0
    assert hub("store", "copy", "--to", target, says="the database is not empty") == 1
    assert "fix: give an empty one" in hub.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///other.db", "from SQLite to PostgreSQL, and no other way"),
        ("postgresql://u@127.0.0.1/shop", "store.url names no driver"),
        ("mysql://u@127.0.0.1/shop", "the hub stores in SQLite or PostgreSQL"),
        ("what", "store.url cannot be read"),
        ("postgresql+asyncpg://u:s3cret@127.0.0.1:9/shop", "the database cannot be reached"),
    ],
)
def test_a_url_that_leads_nowhere_is_said(hub, url, said):
    assert hub("store", "copy", "--to", url, says=said) == 1
    assert "s3cret" not in hub.out + hub.err
    assert "Traceback" not in hub.err


def test_a_file_of_an_older_release_is_to_be_migrated_first(hub, target):
    on_the_file(hub, "UPDATE alembic_version SET version_num = '0003'")
    assert hub("store", "copy", "--to", target) == 1
    assert "hub migrate" in hub.err


def test_a_terminal_shows_how_far_it_is(hub, target):
    hub.sale()
    words = [sys.executable, "-m", "hub", "store", "copy", "--to", target]
    there, here = pty.openpty()
    names = ("HUB_CONFIG", "KEY")
    env = environment(hub.home) | {name: os.environ[name] for name in names} | {"TERM": "xterm"}
    running = subprocess.Popen(words, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=here)
    os.close(here)
    shown = b"".join(iter(lambda: _piece(there), b"")).decode()
    assert running.wait(60) == 0
    assert "job_keys" in shown
    assert "100%" in shown


def _piece(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # its other end is closed
        return b""


def test_a_file_that_is_not_there_is_said(hub, target):
    Path(hub.home / "hub.db").unlink()
    assert hub("store", "copy", "--to", target, says="does not exist") == 1
