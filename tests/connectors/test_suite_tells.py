"""What a newcomer gets wrong is told in words that mend it, once, with its place."""

import sys

import pytest

from hub import testing
from hub.cli import connectors

pytestmark = pytest.mark.usefixtures("forget_plugins")

# name: file, what is replaced in what `hub connectors new` writes, by what, what is told
MISTAKES = {
    "not_json": (
        "fixtures/in/sent.json", '"sign": true,', '"sign": true',
        "in/sent.json is no JSON: line 12: Expecting ',' delimiter",
    ),
    "setting_not_given": (
        "fixtures/settings.json", '"api_key": "', '"api_kee": "',
        "settings.json do not fit the class: api_key: Field required",
    ),
    "other_type": (
        "__init__.py", 'type = "other_type"', 'type = "another"',
        '__init__.py has no connector class with type = "other_type"',
    ),
    "unknown_name": (
        "__init__.py", "effect=unsafe", "effect=unsave",
        "NameError: name 'unsave' is not defined\n  at __init__.py:LINE",
    ),
    "plain_secret": (
        "__init__.py", "api_key: Secret", "api_key: str",
        "the settings ['api_key'] look like secrets: declare them `Secret`",
    ),
    "wrong_input": (
        "fixtures/out/send_message/sent.json", '"input": { "to"', '"input": { "for"',
        "input is no Message: to: Field required",
    ),
    "field_not_in_the_answer": (
        "__init__.py", 'answer.json()["id"]', 'answer.json()["ident"]',
        "KeyError left the action (\"'ident'\"); only a CallError may\n  at __init__.py:LINE",
    ),
    "field_not_in_the_webhook": (
        "__init__.py", 'ext_id=body["id"]', 'ext_id=body["ident"]',
        "KeyError: 'ident'\n  at __init__.py:LINE",
    ),
    "unsigned_body": (
        "__init__.py", '"{t}.{body}"', '"{t}"',
        'says "coverage": "partial", or "none"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_once_with_its_place(tmp_path, name):
    file, old, new, told = MISTAKES[name]
    assert list(connectors._written(tmp_path / name, name))
    path = tmp_path / name / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    line = path.read_text().partition(new)[0].count("\n") + 1
    try:
        failed = testing.report(tmp_path / name).failed
    finally:
        sys.modules.pop(f"hub_plugins.{name}", None)
    details = [text.partition("\n")[2] for text in failed]
    assert any(told.replace("LINE", str(line)) in text for text in details), failed
    assert len(details) == len(set(details))
    assert len(details) <= 3
