"""The container's recipe, held against its rules; no engine builds it here.

What an engine would copy is copied, and plays the demo; `hadolint` reads it where it is installed.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.packages.conftest import CODE, DEPLOY, ROOT, away

RECIPE = (ROOT / "Dockerfile").read_text()
COMPOSE = YAML(typ="safe", pure=True).load((DEPLOY / "compose/compose.yaml").read_text())


def steps(text: str = RECIPE) -> list[tuple[str, str]]:
    """Give each instruction with its words, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [
        (line.partition(" ")[0], line.partition(" ")[2]) for line in joined.splitlines() if line
    ]


def given(name: str) -> list[str]:
    return [words for step, words in steps() if step == name]


def test_two_stages_on_an_image_that_names_its_python() -> None:
    stages = given("FROM")
    assert [stage.split()[0] for stage in stages] == ["python:3.11-slim-bookworm"] * 2
    final = RECIPE.rpartition("FROM ")[2]
    assert "pip install" not in final


def test_every_package_comes_by_its_hash() -> None:
    installs = [words for words in given("RUN") if "pip install" in words]
    assert installs
    assert [
        words for words in installs if "--require-hashes -r requirements.lock" not in words
    ] == []


def test_it_runs_as_nobody_special_and_stops_by_sigterm() -> None:
    assert given("USER") == ["10001:10001"]
    order = [step for step, _ in steps()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert given("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(given("ENTRYPOINT")[0]) == ["hub"]  # a list: no shell takes the signal


def test_it_holds_no_secret() -> None:
    said = " ".join(given("ENV") + given("ARG"))
    assert re.findall(r"(?i)key|secret|token|password", said) == []


def test_what_it_copies_is_let_in_and_plays_the_demo(tmp_path: Path) -> None:
    code, home = tmp_path / "app", tmp_path / "home"
    home.mkdir()
    code.mkdir()
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for words in given("COPY"):
        *names, to = [word for word in shlex.split(words) if not word.startswith("--")]
        if "--from=" in words:
            continue
        for name in names:
            assert name in let_in
            target = code / to / name if to.endswith("/") else code / to
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, target)
    assert {path.name for path in code.iterdir() if path.is_dir()} == {*CODE, "config"}
    played = away("demo", code=code, home=home)
    assert played.returncode == 0, played.stderr[-2000:]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer every request so; give the port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_its_health_check_tells_a_hub_that_lives(status: int, well: bool) -> None:
    words = json.loads(given("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert words[0] == "python"
    with answering(status) as port:
        asked = [sys.executable, *(word.replace(":8080", f":{port}") for word in words[1:])]
        done = subprocess.run(asked, check=False, capture_output=True, timeout=20)
    assert (done.returncode == 0) is well


# -- compose ---------------------------------------------------------------------------------------
def test_compose_gives_the_hub_little_and_the_database_to_it_alone() -> None:
    hub, postgres = COMPOSE["services"]["shop-hub"], COMPOSE["services"]["postgres"]
    assert hub["read_only"] is True
    assert hub["cap_drop"] == ["ALL"]
    assert hub["security_opt"] == ["no-new-privileges:true"]
    assert [port for port in hub["ports"] if not port.startswith("127.0.0.1:")] == []
    assert "ports" not in postgres
    assert postgres["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert hub["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "healthcheck" in postgres


def test_compose_names_what_exists() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        folders = [volume.split(":")[0] for volume in service["volumes"]]
        named = {name for name in folders if not name.startswith(".")}
        assert named <= set(COMPOSE["volumes"])
        assert [
            name for name in folders if name[0] == "." and not (DEPLOY / "compose" / name).is_dir()
        ] == []
        assert ":" in service["image"]
    context = COMPOSE["services"]["shop-hub"]["build"]["context"]
    assert (DEPLOY / "compose" / context / "Dockerfile").resolve() == ROOT / "Dockerfile"


def test_docker_compose_reads_it(tmp_path: Path) -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    if subprocess.run(
        ["docker", "compose", "version"], check=False, capture_output=True
    ).returncode:
        pytest.skip("docker is without compose")
    (tmp_path / "compose.yaml").write_text((DEPLOY / "compose/compose.yaml").read_text())
    (tmp_path / ".env").write_text("HUB_KEY=x\n")
    asked = ["docker", "compose", "--project-directory", str(tmp_path), "-f",
             str(tmp_path / "compose.yaml"), "config", "--quiet"]  # fmt: skip
    done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_hadolint_finds_nothing() -> None:
    if (linter := shutil.which("hadolint")) is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [linter, str(ROOT / "Dockerfile")], check=False, capture_output=True, text=True
    )
    assert done.stdout == ""
