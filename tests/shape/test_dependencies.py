"""The locks name packages and hashes only; no dependency brings a package of our name."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = ("connectors", "hub", "mappings", "store", "webhooks")
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Read name -> version out of a lock or an .in file."""
    text = (ROOT / name).read_text().replace(".yaml", "-yaml")
    return dict(PIN.findall(text))


def wanted(bound: str) -> str:
    """Read the name out of a bound of pyproject.toml."""
    return re.split(r"[\[<>=]", bound.replace(".yaml", "-yaml"))[0]


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("banned", ["://", "index-url", "find-links", "git+", "file:"])
def test_a_lock_says_what_not_where(lock, banned):
    assert banned not in (ROOT / lock).read_text()


def test_every_lock_is_tested():
    assert {path.name for path in ROOT.glob("*.lock")} - {"uv.lock"} == set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock):
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-uv"])
def test_a_lock_holds_what_its_in_file_names(name):
    asked = pins(f"{name}.in")
    assert asked
    assert asked.items() <= pins(f"{name}.lock").items()


def test_the_tests_run_on_what_ships():
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_the_wheel_asks_for_what_the_lock_is_made_from():
    bounds = {wanted(line) for line in PROJECT["project"]["dependencies"]}
    assert bounds == set(pins("requirements.in"))


def test_no_dependency_brings_one_of_our_packages():
    owners = packages_distributions()
    assert "pytest" in owners  # the environment is really read
    assert {name: owners[name] for name in OURS if set(owners.get(name, [])) - {"shop-hub"}} == {}


def test_the_wheel_holds_the_five_packages():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["packages"]) == list(OURS)
    assert all((ROOT / name / "__init__.py").is_file() for name in OURS)


def test_the_tools_read_the_five_packages():
    tools = PROJECT["tool"]
    assert sorted(tools["mypy"]["packages"]) == list(OURS)
    assert sorted(tools["importlinter"]["root_packages"]) == list(OURS)


def test_the_extras_are_tested_with_pinned_versions():
    extras = PROJECT["project"]["optional-dependencies"]
    asked = {wanted(line) for bounds in extras.values() for line in bounds}
    assert asked
    assert asked <= pins("requirements-dev.in").keys()
    assert asked.isdisjoint(pins("requirements.lock"))  # the hub runs without
