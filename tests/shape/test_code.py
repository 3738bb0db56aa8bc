"""The house keeps its shape: short files, imports that point down, contracts that bite."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = ("connectors", "hub", "mappings", "store", "webhooks")
LIMIT = 400
LINT = Path(sys.executable).with_name("lint-imports")


def sources() -> list[Path]:
    """Every Python file of the five packages, tracked or not yet."""
    return [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]


def lint(where: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of a tree."""
    return subprocess.run(
        [LINT, "--no-cache"], cwd=where, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the five packages in which imports may be spoiled."""
    where = tmp_path_factory.mktemp("tree")
    for name in OURS:
        shutil.copytree(ROOT / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", where)
    return where


def test_no_file_is_longer_than_one_sitting():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LIMIT} == {}


def test_the_import_contracts_are_kept():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 kept, 0 broken" in result.stdout


BAD_IMPORTS = [
    # a lower layer imports a higher one
    ("store/__init__.py", "import hub.cli", "imports point down"),
    # the two blind neighbours meet
    ("store/__init__.py", "import connectors", "imports point down"),
    # one connector knows another
    ("connectors/one/__init__.py", "import connectors.two", "connectors do not know each other"),
    # SQL outside store/
    ("hub/shop/__init__.py", "import sqlalchemy", "only store speaks SQL"),
    # a mapping that looks at the clock
    ("mappings/__init__.py", "import time", "mappings and schemes are pure"),
    # a connector reads the database
    ("connectors/__init__.py", "import store", "connectors import hub and nothing else of ours"),
    # the service imports the test runner
    ("hub/cli/__init__.py", "import pytest", "production code does not import the test kit"),
]


@pytest.mark.parametrize(("path", "line", "contract"), BAD_IMPORTS)
def test_a_bad_import_breaks_its_contract(copy, path, line, contract):
    for name in ("one", "two"):
        (copy / "connectors" / name).mkdir(exist_ok=True)
        (copy / "connectors" / name / "__init__.py").touch()
    spoiled = copy / path
    sound = spoiled.read_text()
    spoiled.write_text(f"{sound}\n{line}\n")
    try:
        result = lint(copy)
    finally:
        spoiled.write_text(sound)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contract} BROKEN" in " ".join(result.stdout.split())
