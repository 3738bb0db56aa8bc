"""The schemas for editors take what the loader takes, and know what it does not."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hub import starting
from hub.config.editors import config, mapping
from hub.nodes import plain
from hub.tree import compose
from mappings.filters import FILTERS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def schema():
    made = config()
    Draft202012Validator.check_schema(made)
    return made


def data(text):
    node, faults = compose(text, "c.yaml")
    assert faults == []
    return plain(node)


@pytest.mark.parametrize("name", ["shipped", "init"])
def test_good_files_pass(schema, name):
    text = (
        (ROOT / "config.yaml").read_text() if name == "shipped" else starting.files()["config.yaml"]
    )
    errors = [e.message for e in Draft202012Validator(schema).iter_errors(data(text))]
    assert errors == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total: 30s", "total: 30"),
        ("jitter: full", "jitter: fulll"),
        ("concurrency: 8", "concurency: 8"),
        ("mode: ", "mood: "),
        ("locale: de-DE", "locale: german"),
    ],
)
def test_slips_are_seen(schema, old, new):
    text = (ROOT / "config.yaml").read_text()
    assert old in text
    assert list(Draft202012Validator(schema).iter_errors(data(text.replace(old, new))))


@pytest.mark.parametrize("path", sorted((ROOT / "mappings/library").glob("*.yaml")), ids=str)
def test_every_shipped_mapping_passes(path):
    assert list(Draft202012Validator(mapping()).iter_errors(data(path.read_text()))) == []


def test_mappings_are_completed_by_every_filter_the_admins_own_among_them(tmp_path):
    code = 'def shout(value: str, times: int = 1) -> str:\n    """Cry out."""\n    return value\n'
    (tmp_path / "filters.py").write_text(code)
    made = mapping([tmp_path])
    Draft202012Validator.check_schema(made)
    offered = made["$defs"]["text"]["examples"]
    assert len(offered) == len(FILTERS) + 1
    assert "{{ value | money }}" in offered
    assert any(one.startswith("{{ value | shout(") for one in offered)
