"""What `hub init` writes: good as it is, whatever connectors are named; nothing written over."""

import re

import pytest

from hub import config, starting
from hub.config.dotenv import environment
from hub.discovery import available
from hub.errors import HubError
from hub.shop.vocabulary import VOCABULARY

KINDS = [kind for kind in available() if kind not in starting.BY_HAND]


def faults(home):
    path = home / "config.yaml"
    return config.check(path, environment(path, {}), shop=VOCABULARY)


@pytest.mark.parametrize("kinds", [starting.USUAL, ("stripe",), ("segment", "hubspot")])
def test_what_it_writes_is_good(tmp_path, kinds):
    starting.write(tmp_path, starting.files(kinds))
    assert faults(tmp_path) == []
    text = (tmp_path / "config.yaml").read_text()
    assert re.findall(r"^  ([a-z]+):\n    type", text, re.MULTILINE) == list(kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_can_be_begun_with(tmp_path, kind):
    starting.write(tmp_path, starting.files([kind]))
    assert not [
        f for f in faults(tmp_path) if f.code in ("key.unknown", "yaml.syntax", "env.missing")
    ]


def test_the_key_is_fresh_each_time():
    one, other = starting.files()[".env"], starting.files()[".env"]
    assert one != other
    assert "HUB_KEY=" in one


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(HubError, match="nothing was written"):
        starting.write(tmp_path, starting.files())
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("kind", ["nobody", "http"])
def test_what_cannot_be_begun_with_is_said(kind):
    with pytest.raises(HubError):
        starting.files([kind])
