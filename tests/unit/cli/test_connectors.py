"""`hub connectors`, run as its users run it: a process of its own, outside a checkout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub import cli
from hub.cli import connectors

ROOT = Path(__file__).parents[3]
STORE = 'version: 1\nstore: { encryption_keys: ["${env:NOT_SET_AND_NOT_NEEDED}"] }\n'


def hub(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, "-m", "hub", "connectors", *words],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Run the command in this process; give its exit code and what it wrote to stderr."""

    def run(*words: str, **env: str) -> tuple[int, str]:
        monkeypatch.delenv("HUB_CONFIG", raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["hub", "connectors", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        assert out == ""
        return ended.value.code, err

    return run


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """What is listed where a configuration names three plugins, of which two are broken."""
    home = tmp_path_factory.mktemp("shop")
    (home / "config.yaml").write_text(STORE + "plugins: [./own]\n")
    assert hub("new", "pigeon_post", "--in", "own", cwd=home).returncode == 0
    for name, code in {
        "typo": "def broken(:",
        "quits": "import os\nprint('{}')\nos._exit(0)",
    }.items():
        (home / "own" / name).mkdir()
        (home / "own" / name / "__init__.py").write_text(code)
    done = hub("--json", cwd=home)
    assert done.returncode == 0, done.stderr
    return {row["type"]: row for row in json.loads(done.stdout)}


def test_the_list_names_shipped_types_and_those_of_the_plugin_folders(listed):
    shipped = {path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py")}
    assert listed.keys() == shipped | {"pigeon_post", "typo", "quits"}


def test_the_list_says_each_action_with_its_effect_and_the_tier(listed):
    assert listed["sendgrid"]["tier"] in {"bronze", "silver", "gold"}
    effects = {one["name"]: one["effect"] for one in listed["sendgrid"]["actions"]}
    assert effects["send_template"] == "unsafe"
    assert listed["pigeon_post"] | {"folder": "", "missing": {}} == {
        "type": "pigeon_post",
        "folder": "",
        "tier": "bronze",
        "failed": [],
        "missing": {},
        "actions": [{"name": "send_message", "effect": "unsafe", "kind": "message"}],
        "webhooks": True,
    }


def test_a_plugin_that_cannot_be_imported_is_a_row_with_its_fault(listed):
    assert listed["typo"]["tier"] == listed["quits"]["tier"] == "none"
    assert "SyntaxError" in listed["typo"]["failed"][0]
    assert listed["quits"]["failed"] == ["it ends the process"]


def test_what_new_writes_is_bronze_at_once(tmp_path):
    written = hub("new", "acme_two", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    folder = tmp_path / "plugins" / "acme_two"
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == [
        "README.md", "__init__.py", "fixtures/in/sent.json",
        "fixtures/out/send_message/sent.json", "fixtures/settings.json", "sandbox.py",
    ]  # fmt: skip
    assert "class AcmeTwo(Connector)" in (folder / "__init__.py").read_text()
    checked = hub("check", "acme_two", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    first, *needs = checked.stdout.splitlines()
    assert first == "plugins/acme_two: bronze"
    assert "  silver needs a fixture of send_message answered 429" in needs


def test_check_prints_what_failed_and_exits_1(tmp_path):
    hub("new", "pigeon", cwd=tmp_path)
    fixture = tmp_path / "plugins/pigeon/fixtures/out/send_message/sent.json"
    fixture.write_text(fixture.read_text().replace("msg_1", "msg_2", 1))
    done = hub("check", "plugins/pigeon", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED pigeon out/send_message/sent.json: plays as expected" in done.stdout
    assert done.stdout.endswith("plugins/pigeon: none, 1 failed\n")


def test_check_names_the_place_where_a_body_differs(tmp_path):
    hub("new", "pigeon", cwd=tmp_path)
    fixture = tmp_path / "plugins/pigeon/fixtures/out/send_message/sent.json"
    told = fixture.read_text()
    fixture.write_text(told.replace('"reference": "job_1"', '"reference": "job_2", "tags": []'))
    done = hub("check", "plugins/pigeon", cwd=tmp_path)
    place = "call 0 (POST /messages): json: {}\n  expected  {}\n  seen      {}\n"
    assert place.format("reference", "'job_2'", "'job_1'") in done.stdout
    assert place.format("tags", "[]", "nothing") in done.stdout
    assert "It is on its way" not in done.stdout


def test_a_class_that_is_not_there_is_one_fault_and_not_one_for_each_case(tmp_path):
    (tmp_path / "pigeon").mkdir()
    (tmp_path / "pigeon/__init__.py").write_text("\n\nimport nothing_of_that_name\n")
    done = hub("check", "./pigeon", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("FAILED") == 1
    assert "No module named 'nothing_of_that_name'\n  at __init__.py:3\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("new", "Pigeon"), 2, "hub: 'Pigeon' cannot be a type"),  # upper case
        (("new", "../pigeon"), 2, "hub: '../pigeon' cannot be a type"),  # a way out
        (("new", "import"), 2, "hub: 'import' cannot be a type"),  # no module can be named so
        (("new", "shop"), 2, "hub: 'shop' cannot be a type"),  # the built-in connector
        (("new", "p" * 33), 2, "cannot be a type"),  # too long for a route
        (("new", "taken"), 1, "hub: plugins/taken exists already"),  # a folder
        (("new", "stripe"), 1, "hub: the type stripe exists already, in "),  # a shipped type
        (("check", "plugins/taken"), 2, "plugins/taken is no connector's folder"),  # nothing in it
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(tmp_path, refused, words, code, told):
    (tmp_path / "plugins/taken").mkdir(parents=True)
    left, text = refused(*words)
    assert left == code
    assert told in text
    assert len(text.splitlines()) == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["plugins", "taken"]


def test_check_of_an_unknown_type_names_those_there_are(refused):
    code, text = refused("check", "strip")
    assert code == 2
    assert "there is no type or folder strip" in text
    assert "stripe" in text


def test_a_named_configuration_must_be_there(refused):
    code, text = refused(HUB_CONFIG="nowhere.yaml")
    assert code == 1
    assert text.startswith("nowhere.yaml: error[file.missing]")


def test_in_a_checkout_a_new_connector_lies_beside_the_shipped(tmp_path, monkeypatch):
    inside = tmp_path / "checkout" / "docs"
    inside.mkdir(parents=True)
    monkeypatch.setattr(connectors, "ROOT", tmp_path / "checkout")
    monkeypatch.chdir(inside)
    assert connectors._place() == Path("plugins")  # an installed hub has no pyproject.toml
    (tmp_path / "checkout/pyproject.toml").touch()
    assert connectors._place() == tmp_path / "checkout" / "connectors"
    monkeypatch.chdir(tmp_path)
    assert connectors._place() == Path("plugins")
