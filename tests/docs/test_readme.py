"""The README's first screen is what is really printed; the endpoints that pages name are there."""

import re
from pathlib import Path

import pytest

from hub.api import openapi
from hub.api.app import ENDPOINTS
from tests.docs import pages
from tests.e2e.stage import run

PAGES = pages.pages()
README = PAGES["README.md"]
ROW = re.compile(r"^ *\d\d:\d\d:\d\d\.\d+ +(call|event|job|webhook|fact) +(.+?)(?:  .*)?$")
STATE = re.compile(r"[✓✗-] (done|dead|skipped)\b")


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    done = run("demo", home=tmp_path_factory.mktemp("readme"))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown() -> str:
    [block] = [b for b in pages.blocks("text") if b.page == "README.md"]
    return block.text


def rows(text: str) -> set[tuple[str, str, str]]:
    """Give what happened: its kind, what it was, how it ended; not when, nor under which id."""
    found = ((ROW.match(line), STATE.search(line)) for line in text.splitlines())
    return {(row[1], row[2].strip(), state[1] if state else "") for row, state in found if row}


def test_the_timeline_of_the_readme_is_the_demos(printed):
    assert len(rows(shown())) > 15
    assert rows(shown()) - rows(printed) == set()


def test_the_steps_of_the_readme_are_the_demos(printed):
    def steps(text: str) -> list[str]:
        return [line.strip() for line in text.splitlines() if line.startswith("✓")]

    assert steps(shown()) == steps(printed)
    assert shown().splitlines()[-1] in printed


def test_every_endpoint_that_a_page_names_is_served():
    served = set(openapi.document(ENDPOINTS, "0")["paths"])
    told = {found for text in PAGES.values() for found in re.findall(r"/v1/[\w{}/-]+", text)}
    told = {re.sub(r"\{\w+\}", "{id}", path.rstrip("/")) for path in told}
    assert {"/v1/orders", "/v1/carts/{id}/complete"} <= told
    assert told - {re.sub(r"\{\w+\}", "{id}", path) for path in served} <= elsewhere()


def elsewhere() -> set[str]:
    """Give the paths of providers' own APIs, which their fixtures in the guide show."""
    guides = [text for page, text in PAGES.items() if page.startswith("connectors/")]
    return {found for text in guides for found in re.findall(r"/v1/[\w{}/-]+", text)}


def test_the_readmes_doors_are_as_it_says():
    assert Path(pages.ROOT / "config.yaml").is_file()
    rooms = re.findall(r"^\| \[`(\w+)/`\]", README, re.MULTILINE)
    assert sorted(rooms) == sorted(["hub", "connectors", "webhooks", "mappings", "store"])
