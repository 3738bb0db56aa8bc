"""docs/alerts.md names every signal, its example is checked; each signal has its runbook."""

import re
from pathlib import Path

from hub import config
from hub.alerting import FIELDS, LASTING, RUNBOOKS, SIGNALS
from hub.shop.vocabulary import VOCABULARY
from tests.docs.pages import ROOT, anchors

PAGE = (ROOT / "docs/alerts.md").read_text("utf-8")
RUNBOOK = (ROOT / RUNBOOKS).read_text("utf-8")


def test_every_signal_is_on_the_page_and_has_a_runbook() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", PAGE, re.MULTILINE)) == sorted(SIGNALS)
    assert {one.replace(".", "") for one in SIGNALS} <= anchors(RUNBOOK)


def test_every_field_and_what_lasts_is_on_the_page() -> None:
    table = PAGE[PAGE.index("| field |") : PAGE.index("## Channels")]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|(.*?)\|", table, re.MULTILINE)))
    assert sorted(named) == sorted(FIELDS)
    lasting = PAGE[PAGE.index("It is for") : PAGE.index("- A message is")]
    assert sorted(re.findall(r"`([a-z.]+)`", lasting)) == sorted(LASTING)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    head = 'version: 1\nstore: { encryption_keys: ["${env:HUB_KEY}"] }\n'
    file = tmp_path / "config.yaml"
    file.write_text(head + example)
    assert config.check(file, {}, secrets=False, shop=VOCABULARY) != []  # the variables are unset
    told = config.check(
        file,
        {
            "HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=",
            "SENDGRID_API_KEY": "SG.a.b",
            "HEARTBEAT_URL": "https://alive.example.com/1",
        },
        shop=VOCABULARY,
    )
    assert [str(fault) for fault in told] == []
