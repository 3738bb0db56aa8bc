"""The guide to webhooks is the code's: its tables, and its pieces of configuration."""

import pytest

from hub import config
from store.crypto import new_key
from tests.docs import generate, pages, schemes
from webhooks.library import SCHEMES

PAGE = "docs/webhooks.md"
TEXT = pages.pages()[PAGE]


def test_the_tables_are_what_the_code_declares():
    assert generate.anew(TEXT, generate.PARTS[PAGE]) == TEXT


def test_every_scheme_and_every_connector_that_takes_webhooks_has_its_row():
    rows = [row.split(" | ")[0].strip("| `") for row in schemes.full().splitlines()[2:]]
    assert rows == ["type: hubspot", "type: segment", "type: sendgrid", "type: stripe", *SCHEMES]


ROWS = [
    # scheme, what its row must say
    ("`type: sendgrid`", "| body | 25 h back, 300 s ahead |"),
    ("`slack`", "| body | ±300 s | event_id | we take both |"),
    ("`adyen`", "| partial | no time is signed |"),
    ("`mailgun`", "| none | ±300 s |"),
    ("`square`", "| body and URL |"),
    ("`standard_webhooks`", "| signs with both |"),
]


@pytest.mark.parametrize(("name", "said"), ROWS)
def test_a_row_says_what_is_declared(name, said):
    (row,) = [row for row in schemes.full().splitlines() if row.startswith(f"| {name} |")]
    assert said in row


def test_the_guide_s_configuration_has_no_fault(tmp_path):
    blocks = [b.text for b in pages.blocks("yaml") if b.page == PAGE]
    whole = [text for text in blocks if text.startswith("connectors:")]
    assert whole
    names = ("SLACK_SIGNING_SECRET", "GITHUB_SECRET", "FORMS_SECRET")
    env = {"HUB_KEY": new_key()} | dict.fromkeys(names, "a-secret-0123456789")
    for text in whole:
        path = tmp_path / "config.yaml"
        path.write_text(f'version: 1\nstore: {{ encryption_keys: ["${{env:HUB_KEY}}"] }}\n{text}')
        assert config.check(path, env) == []
