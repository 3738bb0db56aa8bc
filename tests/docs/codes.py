"""The codes of faults as a table: found in the code itself; their meanings are kept as written."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WHERE = ("hub", "mappings", "store", "connectors")
FAMILIES = (
    "yaml", "key", "value", "env", "file", "vault", "ref", "secret", "webhook", "mode", "connector",
    "event", "filter", "form", "route", "sync", "alert", "store", "url", "outbound", "lease",
    "reload", "mapping", "install", "online", "plugin",
)  # fmt: skip
CODE = re.compile(rf"(?:{'|'.join(FAMILIES)})\.[a-z_]+")
SIGNALS = frozenset({"connector.held", "route.held", "webhook.silent", "webhook.rejected",
                     "webhook.differs",
                     "secret.expiring"})  # fmt: skip
NO_FAULT = SIGNALS | {"connector.pause", "connector.resume", "route.release", "route.cancel",
                      "event.replay", "event.show", "store.url", "config.rejected"}  # fmt: skip


def codes() -> list[str]:
    """Give every code that some part of the hub can report, sorted."""
    found = {code for folder in WHERE for path in _files(folder) for code in _codes(path)}
    return sorted(found - NO_FAULT)


def table(old: str) -> str:
    """Write the table; `old` is the one that stood there, for its meanings."""
    kept = dict(re.findall(r"^\| `([a-z._]+)` \| (.*) \|$", old, re.MULTILINE))
    rows = [f"| `{code}` | {kept.get(code, '')} |" for code in codes()]
    return "\n".join(["| code | when, and what to do |", "|---|---|", *rows])


def _files(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def _codes(path: Path) -> Iterator[str]:
    """Yield the codes among a file's texts."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and CODE.fullmatch(text):
            yield text
