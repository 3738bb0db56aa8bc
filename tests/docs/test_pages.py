"""Every page: its links lead somewhere, its blocks are real, its generated parts are the code's."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hub import config
from hub.shop.vocabulary import VOCABULARY
from tests.docs import codes, commands, generate, pages, settings

PAGES = pages.pages()
BASE = {
    "version": "version: 1\n",
    "store": 'store: { encryption_keys: ["${env:HUB_KEY}"] }\n',
    "connectors": """
connectors: { segment: { type: segment, settings: { write_key: "${env:KEY}" } },
  hubspot: { type: hubspot, settings: { access_token: "${env:KEY}" } } }
""",
}
HOSTS = ("pypi", "pythonhosted", "npmjs", "proxy.golang", "artifactory", "index-url")
PATHS = re.compile(r"(?<![\w.])/(?:home|root|work|Users|opt|private)/")


def name_of(block: pages.Block) -> str:
    return f"{block.page}:{block.text.splitlines()[0][:40]}"


# -- links -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    assert list(pages.broken_links(page, PAGES[page], PAGES)) == []


PLANTED_LINKS = [
    ("[a](docs/nowhere.md)", ["docs/nowhere.md"]),
    ("[a](docs/connectors.md#no-such-part)", ["docs/connectors.md#no-such-part"]),
    ("[a](#no-such-part)", ["#no-such-part"]),
    ("[a](../outside)", ["../outside"]),
    # good ones
    ("[a](docs/connectors.md#5-errors) [b](hub) [c](https://example.com/x)", []),
    # a block is no prose
    ("```text\n[a](nowhere)\n```\n", []),
]


@pytest.mark.parametrize(("text", "found"), PLANTED_LINKS)
def test_a_broken_link_is_found(text, found):
    assert list(pages.broken_links("README.md", text, PAGES)) == found


def test_every_guide_is_in_the_index():
    index = PAGES["docs/README.md"]
    guides = [p.removeprefix("docs/") for p in PAGES if re.fullmatch(r"docs/(?!README)[^/]+", p)]
    assert guides
    assert [name for name in guides if f"({name})" not in index] == []


# -- blocks ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", pages.blocks("yaml"), ids=name_of)
def test_every_yaml_block_loads(block):
    assert YAML(typ="safe", pure=True).load(block.text) is not None


@pytest.mark.parametrize("block", pages.blocks("json"), ids=name_of)
def test_every_json_block_loads(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", pages.blocks("python"), ids=name_of)
def test_every_python_block_compiles(block):
    ast.parse(block.text)


WHOLE = ("README.md", "docs/configuration.md", "docs/subscribers.md")


@pytest.mark.parametrize(
    "block",
    [b for b in pages.blocks("yaml") if b.page in WHOLE],
    ids=name_of,
)
def test_every_piece_of_configuration_has_no_fault(block, tmp_path):
    assert faults_of(block.text, tmp_path) == []


def test_a_wrong_piece_of_configuration_is_found(tmp_path):
    text = (
        "routes:\n  - { name: a, on: shop.order.payed, do: segment.track, map: order-to-segment }\n"
    )
    assert "shop.order.payed" in str(faults_of(text, tmp_path))


def faults_of(text: str, home: Path) -> list[str]:
    keys = YAML(typ="safe", pure=True).load(text)
    whole = "".join(part for key, part in BASE.items() if key not in keys) + text
    (home / "config.yaml").write_text(whole)
    env = {"HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=", "KEY": "a-key-of-the-tests",
           "WMS_SECRET": "whsec_" + "QUJD" * 8}  # fmt: skip
    return [str(fault) for fault in config.check(home / "config.yaml", env, shop=VOCABULARY)]


# -- commands --------------------------------------------------------------------------------------
DECIDED = "docs/adr/"  # decisions also name what is to come


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith(DECIDED)])
def test_every_command_of_hub_exists(page):
    found = {" ".join(w): commands.unknown(w) for w in pages.hub_commands(PAGES[page])}
    assert {line: why for line, why in found.items() if why} == {}


PLANTED_COMMANDS = [
    ("```sh\nhub jbos\n```", ["no command jbos"]),
    ("```sh\nhub jobs list --nope\n```", ["no command list"]),
    ("```sh\nexport X=$(hub secrets gnu)\n```", ["no command gnu"]),
    ("say `hub orders show ID --jason`", ["no option --jason"]),
    ("say `hub jobs --state dead`", [None]),
]


@pytest.mark.parametrize(("text", "found"), PLANTED_COMMANDS)
def test_a_command_that_does_not_exist_is_found(text, found):
    assert [commands.unknown(words) for words in pages.hub_commands(text)] == found


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (pages.ROOT / "Makefile").read_text(), re.MULTILINE))
    line = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
    named = {word for text in PAGES.values() for word in line.findall(text)}
    assert {"run", "test", "demo", "docs"} <= named
    assert named - targets == set()


# -- generated parts -------------------------------------------------------------------------------
@pytest.mark.parametrize("page", generate.PARTS)
def test_the_generated_parts_are_what_the_code_says(page):
    assert generate.anew(PAGES[page], generate.PARTS[page]) == PAGES[page], "run: make docs"


def test_a_stale_part_is_found_and_a_missing_one_told():
    stale = PAGES["README.md"].replace("| deduped, 24 h |", "| deduped, 48 h |")
    assert stale != PAGES["README.md"]
    assert generate.anew(stale, generate.PARTS["README.md"]) == PAGES["README.md"]
    with pytest.raises(LookupError, match="effects stands in 0 places"):
        generate.anew("nothing here", generate.PARTS["README.md"])


def test_every_key_of_the_configuration_has_a_meaning():
    means = settings.meanings(PAGES["docs/configuration.md"])
    assert len(means) > 40
    assert [key.path for key in settings.every_key() if not means.get(key.path)] == []
    assert "routes[].on_uncertain" in means


def test_every_code_of_a_fault_has_a_meaning():
    rows = re.findall(r"^\| `([a-z._]+)` \| (.*) \|$", PAGES["docs/errors.md"], re.MULTILINE)
    assert [code for code, _ in rows] == codes.codes()
    assert [code for code, meaning in rows if len(meaning) < 10] == []


def test_every_action_of_every_shipped_connector_is_in_the_guarantees():
    folders = sorted((pages.ROOT / "connectors").glob("*/__init__.py"))
    written = {
        (folder.parent.name, name)
        for folder in folders
        for name in re.findall(r"@action\(.*?async def (\w+)\(", folder.read_text(), re.DOTALL)
    }
    assert len({kind for kind, _ in written}) >= 4
    for kind, name in written:
        assert f"| `{kind}.{name}` |" in PAGES["docs/guarantees.md"]
        assert f"`{name}`" in PAGES["README.md"]


def test_every_command_is_in_its_guide():
    guide = PAGES["docs/cli.md"]
    lines = [words for words, _ in commands.every()]
    assert "hub jobs settle" in lines
    assert [words for words in lines if f"`{words}" not in guide] == []


# -- what no page says -----------------------------------------------------------------------------
@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_this_machine_or_a_package_index(page):
    text = PAGES[page]
    assert PATHS.findall(text) == []
    assert str(Path.home()) == "/" or f"{Path.home()}/" not in text
    assert [host for host in HOSTS if host in text.lower()] == []


def test_make_docs_leaves_everything_as_it_is():
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.generate"],
        cwd=pages.ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == ""
