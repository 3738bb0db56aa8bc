"""The filters of docs/mappings.md: written to disk as they stand there, checked, run, and tried."""

import subprocess
import sys

import pytest

from hub import config, testing
from hub.shop.vocabulary import VOCABULARY
from hub.testing.filters import failures
from tests.docs import pages

PAGE = (pages.ROOT / "docs" / "mappings.md").read_text("utf-8")
CONFIG = """
version: 1
plugins: [./plugins]
include: [mappings.d/*.yaml]
store: { encryption_keys: ["${env:HUB_KEY}"] }
connectors: { segment: { type: segment, settings: { write_key: "${env:KEY}" } } }
routes: [{ name: vat, on: shop.order.paid, do: segment.track, map: order-to-vat }]
"""
ENV = {"HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=", "KEY": "a-key-of-the-tests"}


def block(before: str) -> str:
    """Give the block that follows a line of the page."""
    return PAGE.partition(before)[2].partition("```")[2].partition("\n")[2].partition("```")[0]


@pytest.fixture
def home(tmp_path):
    for name in ("plugins/filters.py", "mappings.d/order-to-vat.yaml"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(block(f"**`{name}`**"))
    (tmp_path / "mappings.d" / "order-to-segment-short.yaml").write_text(block("would send"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def test_both_mappings_of_the_page_have_no_fault_and_pass_their_tests(home):
    assert config.check(home / "config.yaml", ENV, shop=VOCABULARY) == []


def test_a_wrong_expectation_is_found(home):
    path = home / "mappings.d" / "order-to-vat.yaml"
    path.write_text(path.read_text().replace("1079.41", "1079.42"))
    [fault] = config.check(home / "config.yaml", ENV, shop=VOCABULARY)
    assert "mapping.test" in str(fault)


def test_its_filters_pass_the_suite(home):
    cases = testing.cases(home / "plugins" / "filters.py")
    assert len(cases) == 8
    for case in cases:
        case.check()


MISTAKES = [
    # the example does not hold
    ("'DE123456789'", "'DE1'", "an example that holds"),
    # no documentation at all
    ('    """Write a VAT', "    _ = r'''Write a VAT", "wants a docstring"),
    # another kind than it says
    ("return plain if", "return 7 if", "must give string"),
    # not the same twice
    ("return plain if", "import os\n    return os.urandom(4).hex() if", "the second time"),
]


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES)
def test_the_suite_finds_planted_mistakes(home, old, new, told):
    path = home / "plugins" / "filters.py"
    text = path.read_text()
    assert old in text
    text = text.replace(old, new, 1)
    if "r'''" in new:
        text = text.replace('    """\n    plain', "    '''\n    plain", 1)
    path.write_text(text)
    assert told in "\n".join(failures(path))


def test_the_suite_runs_without_pytest(home):
    words = [sys.executable, "-m", "hub.testing", str(home / "plugins" / "filters.py")]
    done = subprocess.run(words, cwd=pages.ROOT, capture_output=True, text=True, check=True)
    assert "every filter holds" in done.stdout
