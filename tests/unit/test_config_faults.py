"""Every broken file says what is wrong, where, and what mends it; no secret is in any of it.

The cases lie in config/broken/*.txt: `## name`, the file, then one line for every fault there is,
`>> line:col level[code] text ;; fix`, with the file's name before it where it is not the main one.
A case begins below a version and a store, on line 3; those of routes.txt and syncs.txt on line 4,
below an include of shared/ and of the file named after a `+`. A name that ends in !whole has
neither.
"""

import shutil
from pathlib import Path

import pytest

from hub import config
from hub.shop.vocabulary import VOCABULARY

HERE = Path(__file__).parent / "config"
SHOP = VOCABULARY
STORE = 'store: { encryption_keys: ["${env:HUB_KEY}"] }'
ENV = {
    "HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=",
    "WRITE_KEY": "CANARY-write-key",
    "STRIPE_KEY": "sk_test_CANARY",
    "WHSEC": "whsec_CANARY_16_or_more",
    "TOKEN": "CANARY-token",
    "SHORT": "CANARY-2short",
    "EMPTY": "",
}


def cases():
    """Yield (file, name, text, expected lines) of every case."""
    for file in sorted((HERE / "broken").glob("*.txt")):
        for case in file.read_text().split("## ")[1:]:
            name, _, rest = case.partition("\n")
            lines = rest.splitlines()
            body = [line for line in lines if not line.startswith(">> ")]
            expected = [line for line in lines if line.startswith(">> ")]
            yield file.stem, name, "\n".join(body) + "\n", expected


def whole(file, name, body):
    """Put what every file needs above a case."""
    if name.endswith("!whole"):
        return body
    store = "# a store of its own" if body.startswith("store:") else STORE
    more = f', "more/{name.partition("+")[2]}"' if "+" in name else ""
    shared = f'include: ["shared/*.yaml"{more}]\n' if file in ("routes", "syncs") else ""
    return f"version: 1\n{store}\n{shared}{body}"


def told(fault, home):
    """Write a fault as the cases do."""
    level = "warning" if fault.warning else "error"
    file = Path(fault.file).name.replace("config.yaml", "")
    place = f"{file}:{fault.line}:{fault.col}".removeprefix(":")
    text = f">> {place} {level}[{fault.code}] {fault.text} ;; {fault.fix}"
    return text.replace(str(home), "HERE").removesuffix(" ;; ")


def checked(home, text):
    """Check a file beside the schemas, secrets and includes that cases use."""
    (home / "broken.json").write_text("{")
    (home / "wrong.json").write_text('{"type": "thing"}')
    (home / "points.json").write_text('{"type": "object"}')
    (home / "roots").mkdir()
    (home / "roots/link").symlink_to("/etc/hostname")
    (home / "roots/self").symlink_to(home / "roots/self")
    deep = '{"items": ' * 5000 + "{}" + "}" * 5000
    (home / "deep.json").write_text(deep)
    (home / "list.json").write_text("[]")
    (home / "lost.json").write_text('{"items": {"$ref": "#/$defs/none"}}')
    (home / "far.json").write_text('{"items": {"$ref": "https://example.com/other.json"}}')
    (home / "nested.json").write_text('{"items": ' * 100 + "{}" + "}" * 100)
    for name in ("shared", "more"):
        shutil.copytree(HERE / name, home / name)
    path = home / "config.yaml"
    path.write_text(text.replace("HERE", str(home)))
    return config.check(path, ENV, shop=SHOP)


CASES = list(cases())


@pytest.mark.parametrize(
    ("file", "name", "body", "expected"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_a_broken_file_says_where_and_how_to_mend_it(tmp_path, file, name, body, expected):
    faults = checked(tmp_path, whole(file, name, body))
    assert [told(fault, tmp_path) for fault in faults] == expected
    shown = "\n".join(str(fault) for fault in faults)
    assert "CANARY" not in shown
    assert not [value for value in ENV.values() if value and value in shown]


def test_the_table_is_long():
    assert len(CASES) >= 90
    assert all(expected for *_, expected in CASES)
