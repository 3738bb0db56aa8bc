"""`.env` beside the configuration: below the environment, never expanded, its faults by line."""

import pytest

from hub.config.dotenv import environment, read
from hub.errors import ConfigError


def test_the_environment_wins(tmp_path):
    (tmp_path / ".env").write_text("A=file\nB=file\n")
    assert environment(tmp_path / "config.yaml", {"A": "env"}) == {"A": "env", "B": "file"}


def test_without_one_the_environment_is_all(tmp_path):
    assert environment(tmp_path / "config.yaml", {"A": "env"}) == {"A": "env"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=x", "x"),
        ("A=", ""),
        ("A=x = y", "x = y"),
        ("A = x", None),
        ("A='$HOME'", "$HOME"),
        ('A="x"', "x"),
        ("A=\"x'", "\"x'"),
        ("export A=x", "x"),
        ("  A=x  ", "x"),
        ("A=${B}", "${B}"),
    ],
)
def test_a_line(line, value):
    found, faults = read(line, ".env")
    assert found.get("A") == value
    assert bool(faults) is (value is None)


def test_a_line_that_is_none_is_told_by_its_number_and_not_shown(tmp_path):
    (tmp_path / ".env").write_text("A=1\n\nCANARY-secret\n# fine\nalso none\n")
    with pytest.raises(ConfigError) as caught:
        environment(tmp_path / "config.yaml", {})
    assert [(f.code, f.line) for f in caught.value.faults] == [("env.syntax", 3), ("env.syntax", 5)]
    assert "CANARY" not in str(caught.value)
