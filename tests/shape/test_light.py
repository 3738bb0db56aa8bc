"""A hub that serves loads what it needs; what only some need is imported where it is used."""

import subprocess
import time

import pytest

from store.crypto import new_key
from tests.e2e.stage import START_WITHIN, answers, command, environment, free_port

CONFIG = """\
version: 1
store: {{ url: "sqlite:///{home}/hub.db", encryption_keys: ["${{env:HUB_KEY}}"] }}
connectors:
  crm:
    type: http
    settings: {{ base_url: "https://crm.example.com", actions: {{ put: {{ method: PUT, path: /x,
      effect: {{ upsert: id }} }} }} }}
routes: []
"""
NOT_NEEDED = {
    "alembic": "the store is as this release wants it",
    "asyncpg": "the store is SQLite",
    "babel": "no mapping writes a price or a date",
    "cryptography.x509": "nobody signs with a certificate",
    "hubspot": "no such connector",
    "jsonschema": "no schema is declared",
    "opentelemetry": "no traces are told",
    "sendgrid": "no such connector",
    "stripe": "no such connector",
    "connectors.stripe": "no such connector",
    "hub.demo": "it serves",
    "hub.testing": "it serves",
    "webhooks.inbound": "no such connector",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> set[str]:
    """Every module that `hub serve` loads until it is ready, on a store that is there."""
    home = tmp_path_factory.mktemp("light")
    listen = f"127.0.0.1:{free_port()}"
    (home / "config.yaml").write_text(CONFIG.format(home=home))
    env = environment(home) | {"HUB_KEY": new_key(), "HUB_LISTEN": listen}
    subprocess.run(command("migrate"), cwd=home, env=env, capture_output=True, check=True)
    with (home / "told").open("w") as told:
        env["PYTHONPROFILEIMPORTTIME"] = "1"
        hub = subprocess.Popen(command("serve"), cwd=home, env=env, stderr=told)
        try:
            until = time.monotonic() + START_WITHIN
            while not answers(f"http://{listen}/readyz") and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            hub.terminate()
            hub.wait(START_WITHIN)
    lines = (home / "told").read_text().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("module", NOT_NEEDED)
def test_it_loads_nothing_that_it_does_not_need(loaded, module) -> None:
    assert "hub.app" in loaded
    assert module not in loaded, NOT_NEEDED[module]
