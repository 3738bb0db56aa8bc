"""The threat table of docs/security.md: each number once, and every test it names is there."""

import re

import pytest

from tests.docs.pages import ROOT

ROW = re.compile(r"^\| (S\d+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
DASH = "\N{EN DASH}"
PAGE = (ROOT / "docs/security.md").read_text("utf-8")
ROWS = ROW.findall(PAGE)
NAMED = sorted(set(TEST.findall(PAGE)))


def test_each_number_has_one_row() -> None:
    assert [number for number, _ in ROWS] == [f"S{n}" for n in range(1, 34)]


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_what_is_proved_names_its_test(number: str, row: str) -> None:
    _, _, state, figure, ref = (cell.strip() for cell in row.split(" | "))
    assert state in ("proved", "part", "open")
    assert state == "open" or TEST.search(figure)
    assert ref == DASH or re.fullmatch(r"(ASVS|API)[\d., APISV]+", ref)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_it_names_is_there(file: str, name: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert re.search(rf"^ *(async )?def {name}\(", text, re.MULTILINE)


def test_a_test_of_a_number_stands_in_its_row() -> None:
    """A test that bears a number in its name is told of where the number is, or not at all."""
    told = {name: number for number, row in ROWS for _, name in TEST.findall(row)}
    for name, number in told.items():
        if bears := re.match(r"test_(s\d+)_", name):
            assert bears[1].upper() == number
