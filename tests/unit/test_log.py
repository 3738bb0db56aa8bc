"""No secret and no personal data in a log line, whoever wrote it."""

import io
import json
import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from hub import log
from hub.errors import NotStored
from hub.secrets import Secret

CANARY = "canary4711"


@pytest.fixture
def lines(monkeypatch):
    root, written = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    log.setup()
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)


def test_a_line_is_json_with_its_message_and_fields(lines) -> None:
    log.get("x").info("job settled", job="job_1", ms=3)
    [line] = lines()
    assert line["msg"] == "job settled"
    assert (line["job"], line["ms"], line["level"]) == ("job_1", 3, "info")


@pytest.mark.parametrize(
    "fields",
    [
        {"token": CANARY},
        {"email": f"{CANARY}@example.com"},
        {"secret_like": Secret(CANARY, "NAME")},
        {"error": f"Bearer {CANARY}"},
        {"error": f"the key sk_test_{CANARY} is wrong"},
        {"error": f"SG.{CANARY}"},
    ],
)
def test_what_is_private_is_masked(lines, fields) -> None:
    log.get("x").info("call failed", **fields)
    assert CANARY not in json.dumps(lines())


def test_a_line_that_cannot_be_written_fails_nobody() -> None:
    code = "from hub import log; log.setup(); log.get('x').info('job settled'); print('went on')"
    words = [sys.executable, "-c", code]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=full, text=True)
    assert done.stdout == "went on\n"


def test_what_is_below_the_level_is_not_written(lines) -> None:
    log.get("x").debug("job settled")
    logging.getLogger("aiohttp.access").info("a line of its own")
    assert lines() == []


def test_a_librarys_record_passes_the_same_mask(lines) -> None:
    logging.getLogger("python_http_client").warning("Authorization: Bearer %s", CANARY)
    [line] = lines()
    assert CANARY not in json.dumps(line)


def test_a_traceback_passes_the_same_mask(lines) -> None:
    try:
        int(f"Bearer {CANARY}")
    except ValueError:
        log.get("x").exception("attempt failed")
    assert CANARY not in json.dumps(lines())


def test_a_traceback_repeats_no_value_that_somebody_elses_error_names(lines) -> None:
    class Contact(BaseModel):
        age: int

    for broken in (lambda: int(f"{CANARY}@x"), lambda: Contact(age=CANARY), lambda: {}[CANARY]):
        try:
            try:
                broken()
            except (ValueError, KeyError) as error:
                raise NotStored("the store could not commit") from error
        except NotStored:
            log.get("x").exception("attempt failed")
    assert CANARY not in json.dumps(lines())
    first = lines()[0]["exception"]
    assert "the store could not commit" in first
    assert "builtins.ValueError" in first
    assert "test_log.py" in first


def test_a_traceback_shows_of_libraries_only_where_they_failed(lines) -> None:
    class Contact(BaseModel):
        age: int

    try:
        Contact.model_validate({})
    except ValueError:
        log.get("x").exception("attempt failed")
    [line] = lines()
    assert line["exception"].count('File "') == 2
    assert "ValidationError" in line["exception"]


def test_what_the_store_says_of_itself_is_shown(lines) -> None:
    try:
        sqlite3.connect(":memory:").execute("SELECT lost")
    except sqlite3.Error:
        log.get("x").exception("claim failed")
    assert "no such column: lost" in lines()[0]["exception"]
