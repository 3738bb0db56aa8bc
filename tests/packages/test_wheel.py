"""The wheel: all that a hub needs, nothing of the tests, and it plays the demo by itself."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packages.conftest import CODE, ROOT, away

DATA = {".py", ".json", ".yaml", ".md", ".mako", ".html", ".css", ".js", ".typed", ".txt"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as a release does; hatchling is of this environment, so nothing is fetched."""
    to = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(to)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [made] = to.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_it_holds_our_five_packages_and_nothing_beside(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*CODE, "shop_hub-0.1.0.dist-info"}


def test_it_holds_every_file_of_theirs(names: set[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in CODE
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA and "__pycache__" not in path.parts
    }
    assert len(files) > 500
    assert files - names == set()


@pytest.mark.parametrize(
    "needed",
    [
        *(f"{package}/py.typed" for package in CODE),
        "hub/shipped/config.yaml",
        "hub/shipped/config/routes.yaml",
        "mappings/library/order-to-segment.yaml",
        "store/migrations/env.py",
        "store/migrations/versions/0001_first_tables.py",
        "connectors/stripe/sandbox.py",
        "hub/cli/new_connector/README.md",
        "shop_hub-0.1.0.dist-info/licenses/LICENSE",
    ],
)
def test_it_holds_what_the_hub_reads(names: set[str], needed: str) -> None:
    assert needed in names


def test_its_extra_asks_for_traces_and_nothing_else_does(wheel: Path) -> None:
    told = zipfile.ZipFile(wheel).read("shop_hub-0.1.0.dist-info/METADATA").decode()
    asked = [line for line in told.splitlines() if line.startswith("Requires-Dist: opentelemetry")]
    assert asked
    assert [line for line in asked if not line.endswith("; extra == 'traces'")] == []


def test_it_plays_the_demo_and_writes_a_configuration(wheel: Path, tmp_path: Path) -> None:
    code, home = tmp_path / "code", tmp_path / "home"
    zipfile.ZipFile(wheel).extractall(code)
    home.mkdir()
    played = away("demo", code=code, home=home)
    assert played.returncode == 0, played.stderr[-2000:]
    assert "Every job is done" in played.stdout
    begun = away("init", "--in", "shop", code=code, home=home)
    assert begun.returncode == 0, begun.stderr
    checked = away("check", "shop/config.yaml", code=code, home=home)
    assert checked.returncode == 0, checked.stderr


def test_s28_a_package_of_another_hash_is_not_installed(wheel: Path, tmp_path: Path) -> None:
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wrong = hashlib.sha256(b"another").hexdigest()
    ended = {hashed: _install(wheel, hashed, tmp_path / hashed[:8]) for hashed in (right, wrong)}
    assert ended[right].returncode == 0, ended[right].stderr
    assert (tmp_path / right[:8] / "hub" / "__init__.py").exists()
    assert ended[wrong].returncode == 1
    assert "DO NOT MATCH THE HASHES" in ended[wrong].stderr
    assert not (tmp_path / wrong[:8]).exists()


def _install(wheel: Path, hashed: str, to: Path) -> subprocess.CompletedProcess[str]:
    asked = to.with_suffix(".lock")
    asked.write_text(f"shop-hub==0.1.0 --hash=sha256:{hashed}\n")
    pip = [
        *(sys.executable, "-m", "pip", "--isolated", "install"),
        *("--no-index", "--no-deps", "--no-compile", "--require-hashes"),
        *("--find-links", str(wheel.parent), "--target", str(to), "-r", str(asked)),
    ]
    return subprocess.run(pip, check=False, capture_output=True, text=True, timeout=60)
