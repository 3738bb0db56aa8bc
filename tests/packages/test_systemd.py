"""The systemd units: hardened, and told by the hub itself when it serves."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from hub.serving import tell_supervisor
from tests.packages.conftest import DEPLOY

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSED = 2.0  # of 10, as systemd-analyze counts


def lines(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_one_unit_for_one_hub_and_one_for_several() -> None:
    assert [unit.name for unit in UNITS] == ["shop-hub.service", "shop-hub@.service"]
    one, several = (lines(unit) for unit in UNITS)
    assert {**one, "Description": []} == {**several, "Description": []}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"), ("DynamicUser", "yes"), ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""), ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"), ("SystemCallArchitectures", "native"),
        ("Restart", "always"), ("KillMode", "mixed"), ("UMask", "0077"),
    ],
)  # fmt: skip
def test_a_unit_says_so(name: str, value: str) -> None:
    for unit in UNITS:
        assert lines(unit)[name] == [value]


def test_a_hub_is_not_killed_before_it_has_drained() -> None:
    for unit in UNITS:
        assert int(lines(unit)["TimeoutStopSec"][0]) > 30  # shutdown_grace as it is by default


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_and_calls_it_hardly_exposed(unit: Path, tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    there = tmp_path / unit.name.replace("@", "@a")
    there.write_text(unit.read_text().replace("/usr/local/lib/shop-hub/bin/hub", "/bin/true"))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(there)], check=False, capture_output=True, text=True
    )
    assert [line for line in verified.stderr.splitlines() if unit.name.split(".")[0] in line] == []
    asked = [
        analyze,
        "security",
        "--offline=true",
        f"--threshold={MOST_EXPOSED * 10:.0f}",
        str(there),
    ]
    judged = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout[-400:] + judged.stderr


@pytest.mark.parametrize("abstract", [False, True])
def test_the_hub_tells_its_supervisor(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"@{tmp_path.name}-hub" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + name[1:] if abstract else name)
        supervisor.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        tell_supervisor("READY=1")
        assert supervisor.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    tell_supervisor("READY=1")  # nobody asks: nothing happens
