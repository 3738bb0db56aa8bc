"""The first hour, as its page says it: begun, broken ten times, run, changed while it runs."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import config as configuration
from hub import starting
from hub.config.dotenv import environment
from hub.shop.vocabulary import VOCABULARY
from tests.docs import pages
from tests.e2e.stage import Process, answers, free_port, run

PAGE = (pages.ROOT / "docs/first-hour.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `([^`]+)` \| `([^`]+)` \| (.+?) \| error\[([a-z.]+)\] … (.+?) \|$", re.MULTILINE
)
MISTAKES = ROW.findall(PAGE)
WHEN = next(block.text for block in pages.blocks("yaml") if block.page == "docs/first-hour.md")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    starting.write(tmp_path, starting.files())
    return tmp_path


def check(home: Path) -> list[Any]:
    path = home / "config.yaml"
    return configuration.check(path, environment(path, {}), shop=VOCABULARY)


def test_there_are_ten_mistakes():
    assert len(MISTAKES) == 10
    assert len({code for *_, code, _ in MISTAKES}) == 10


def test_what_init_writes_has_no_fault(home):
    assert check(home) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=[code for *_, code, _ in MISTAKES])
def test_each_mistake_is_told_at_its_line_with_what_mends_it(home, mistake):
    name, old, new, code, fix = mistake
    path = home / name
    text = path.read_text()
    assert old in text
    at = text.index(old)
    written = "\n".join(re.findall(r"`([^`]+)`", new))
    path.write_text(text[:at] + written + text[at + len(old) :])
    line = text[:at].count("\n") + 1 + written.count("\n")
    errors = [fault for fault in check(home) if not fault.warning]
    found = next(fault for fault in errors if fault.code == code)
    assert (Path(found.file).name, found.line) == (path.name, line)
    assert fix in found.fix
    path.write_text(text)
    assert check(home) == []


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Path, str, Process]]:
    done = run("init", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ".env" in (tmp_path / ".gitignore").read_text().split()
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    again = run("init", home=tmp_path)
    assert again.returncode == 1
    assert "nothing was written" in again.stderr
    port = free_port()
    file = tmp_path / "config.yaml"
    file.write_text(file.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    assert run("check", home=tmp_path).returncode == 0
    hub = Process("serve", home=tmp_path)
    try:
        hub.start()
        url = f"http://127.0.0.1:{port}"
        hub.wait_for(lambda: answers(f"{url}/readyz"))
        yield tmp_path, url, hub
        hub.terminate()
        assert hub.ended() == 0
    finally:
        hub.kill()


def tell(url: str, key: str, ref: str) -> str:
    """Send the page's order, as its curl does."""
    body = json.loads(pages.named(PAGE)["order.json"]) | {"external_ref": ref}
    body["payments"][0]["provider_ref"] = f"pi_{ref}"
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": ref,
               "Content-Type": "application/json"}  # fmt: skip
    asked = urllib.request.Request(f"{url}/v1/orders", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return str(json.loads(answer.read())["id"])


def jobs(home: Path, hub: Process, order: str) -> dict[str, str]:
    """Give the end of each routed job of an order, once all have one."""

    def ended() -> dict[str, str] | None:
        done = run("orders", "show", order, "--json", home=home)
        story = json.loads(done.stdout)
        items = story["items"] if isinstance(story, dict) else story
        found = {e["action"]: e["state"] for e in items if e["kind"] == "job"}
        over = found and all(s not in ("ready", "waiting", "leased") for s in found.values())
        return found if over else None

    return hub.wait_for(ended)


def planned(home: Path, changed: str) -> dict[str, dict[str, int]]:
    """Compare a copy of the folder with a change in it; give the routes that differ."""
    other = home.parent / "next"
    other.mkdir()
    for name in ("config.yaml", ".env"):
        (other / name).write_text((home / name).read_text())
    (other / "routes.d").mkdir()
    (other / "routes.d/routes.yaml").write_text(changed)
    done = run("plan", str(other / "config.yaml"), "--json", home=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["routes"]
    counts = {name: {k: n for k, n in t.items() if k != "events" and n} for name, t in told.items()}
    return {name: found for name, found in counts.items() if found.keys() - {"same"}}


def test_the_page_from_its_first_command_to_its_last(shop):
    home, url, hub = shop
    key = json.loads(run("keys", "create", "--role", "shop", "--json", home=home).stdout)["key"]
    found = jobs(home, hub, tell(url, key, "R-1"))
    assert set(found.values()) == {"done"}
    assert any("track" in action for action in found)
    routes = home / "routes.d/routes.yaml"
    text = routes.read_text()
    changed = text.replace("map: order-to-segment\n", f"map: order-to-segment\n{WHEN}", 1)
    assert planned(home, changed) == {"order-analytics": {"gone": 1}}
    routes.write_text(changed)
    done = run("reload", home=home)
    assert (done.returncode, done.stdout[:5]) == (0, "runs "), done.stderr
    found = jobs(home, hub, tell(url, key, "R-2"))
    assert not any("track" in action for action in found)
    routes.write_text(changed.replace("order.total.amount", "order.totl.amount"))
    done = run("reload", home=home)
    assert done.returncode == 1
    assert "error[mapping.field]" in done.stderr
    assert "did you mean" in done.stderr
    order = tell(url, key, "R-3")
    routes.write_text(changed)  # the commands read the file too
    found = jobs(home, hub, order)
    assert not any("track" in action for action in found)
    history = json.loads(run("config", "history", "--json", home=home).stdout)
    assert [row["what"] for row in history] == ["reloaded", "started"]
