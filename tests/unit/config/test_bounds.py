"""A hostile file costs little memory: it is refused before anything of its size is built."""

import tracemalloc

import pytest

from hub import config
from tests.unit.test_tree import BOMBS

MOST = 20 << 20
DEEP = "".join(f"{'  ' * n}a{n}:\n" for n in range(700)) + "x"


def peak(path):
    tracemalloc.start()
    try:
        faults = config.check(path, {})
        return faults, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory):
    """Read one small file first, so that what imports cost is not counted."""
    path = tmp_path_factory.mktemp("small") / "config.yaml"
    path.write_text("version: 1\n")
    config.check(path, {})


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_less_than_20_mb(tmp_path, name):
    path = tmp_path / "config.yaml"
    path.write_text(BOMBS[name])
    faults, most = peak(path)
    assert "yaml.too_big" in [fault.code for fault in faults]
    assert most < MOST


@pytest.mark.parametrize("text", [DEEP, "[" * 2000 + "]" * 2000], ids=["block", "flow"])
def test_deep_nesting_is_refused_at_its_place(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    faults, most = peak(path)
    assert [fault.code for fault in faults] == ["yaml.too_big"]
    assert faults[0].line > 0
    assert most < MOST


def test_of_50_mb_one_is_read(tmp_path):
    path = tmp_path / "config.yaml"
    with path.open("wb") as file:
        for _ in range(50):
            file.write(b"a: bcdefg\n" * 104857)
    faults, most = peak(path)
    assert [fault.code for fault in faults] == ["yaml.too_big"]
    assert most < MOST
