"""Secrets out of Vault: KV version 2 on loopback, each way to log in, and every way to fail."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub import config
from hub.config import vault
from hub.errors import ConfigError
from store.crypto import new_key

KEY = new_key()
FILE = """\
version: 1
store: {{ encryption_keys: ["${{vault:hub/keys#first}}"] }}
secrets: {{ vault: {{ address: "{address}", auth: {auth} }} }}
connectors:
  told: {{ type: segment, settings: {{ write_key: "${{vault:{path}}}" }} }}
"""
TOKEN = '{ token: "${env:VAULT_TOKEN}" }'
ENV = {"VAULT_TOKEN": "CANARY-token", "ROLE": "CANARY-role", "SECRET": "CANARY-secret"}


class Kv(BaseHTTPRequestHandler):
    """Vault's KV version 2 and its log-ins, as far as the hub speaks them."""

    kept: dict[str, dict[str, Any]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.removeprefix("/v1/secret/data/")
        if self.headers.get("X-Vault-Token") != "CANARY-token":
            self.answer(403, {"errors": ["CANARY permission denied"]})
        elif path == "moved":
            self.send_response(302)
            self.send_header("Location", "/v1/secret/data/hub/keys")
            self.end_headers()
        elif path == "garbage":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"CANARY not json")
        elif path in self.kept:
            self.answer(200, {"data": {"data": self.kept[path], "metadata": {"version": 1}}})
        else:
            self.answer(404, {"errors": []})

    def do_POST(self) -> None:
        self.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = body in (
            {"role_id": "CANARY-role", "secret_id": "CANARY-secret"},
            {"role": "hub", "jwt": "CANARY-jwt"},
        )
        found = {"auth": {"client_token": "CANARY-token"}} if good else {"errors": ["CANARY"]}
        self.answer(200 if good else 400, found)

    def answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def kv() -> Iterator[tuple[str, list[str]]]:
    kept = {"hub/keys": {"first": KEY, "number": 3}, "segment": {"key": "CANARY-write-key"}}
    handler = type("Served", (Kv,), {"kept": kept, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked
    server.shutdown()
    thread.join()
    server.server_close()


def write(home, address, *, auth=TOKEN, path="segment#key"):
    file = home / "config.yaml"
    file.write_text(FILE.format(address=address, auth=auth, path=path))
    return file


LOGINS = {
    "token": TOKEN,
    "approle": '{ role_id: "${env:ROLE}", secret_id: "${env:SECRET}" }',
    "kubernetes": "{ kubernetes: hub }",
}


@pytest.mark.parametrize("login", LOGINS)
def test_secrets_come_out_of_it(tmp_path, kv, monkeypatch, login):
    (tmp_path / "jwt").write_text("CANARY-jwt\n")
    monkeypatch.setattr(vault, "SERVICE_ACCOUNT", tmp_path / "jwt")
    address, asked = kv
    loaded = config.load(write(tmp_path, address, auth=LOGINS[login]), env=ENV)
    assert loaded.connectors["told"].settings.write_key.text() == "CANARY-write-key"
    assert "CANARY" not in repr(loaded)
    assert len([path for path in asked if "data" in path]) == 2


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("segment#nothing", "segment has no text 'nothing'"),
        ("hub/keys#number", "hub/keys has no text 'number'"),
        ("nobody#key", "Vault answered 404"),
        ("moved#first", "Vault answered 302"),
        ("garbage#key", "Vault's answer is no JSON"),
        ("a/../hub/keys#first", "a path goes down only"),
    ],
)
def test_what_it_does_not_give_is_told_by_name_alone(tmp_path, kv, path, why):
    faults = config.check(write(tmp_path, kv[0], path=path), ENV)
    assert [(f.code, f.line) for f in faults] == [("vault.failed", 5)]
    assert faults[0].text == f"${{vault:{path}}}: {why}"
    assert "CANARY" not in str(faults)


def test_a_bad_token_and_an_absent_vault_are_told(tmp_path, kv):
    faults = config.check(write(tmp_path, kv[0]), ENV | {"VAULT_TOKEN": "bad"})
    assert {fault.code for fault in faults} == {"vault.failed"}
    assert "Vault answered 403" in faults[0].text
    faults = config.check(write(tmp_path, "http://127.0.0.1:1"), ENV)
    assert "cannot be reached" in faults[0].text


def test_whoever_only_looks_asks_nobody(tmp_path, kv):
    faults = config.check(write(tmp_path, kv[0]), ENV, secrets=False)
    assert {(fault.code, fault.warning) for fault in faults} == {("vault.failed", True)}
    assert kv[1] == []


def test_without_a_vault_the_reference_says_so(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text('version: 1\nstore: { encryption_keys: ["${vault:a#b}"] }\n')
    with pytest.raises(ConfigError, match=r"there is no secrets\.vault"):
        config.load(file, env={})
