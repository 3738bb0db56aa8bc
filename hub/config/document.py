"""config.yaml and the files it includes, read into one tree; then its references resolved.

An included file holds `connectors`, `routes`, `forms` or `events`, or is a mapping. Nothing here
knows what a key means, but for those that say where to read on: `include` and `secrets.file_roots`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub.config.references import (
    ABSENT,
    Absent,
    BadReference,
    References,
    is_whole,
    raw_name,
    referred,
)
from hub.config.report import Report
from hub.config.vault import Vault
from hub.errors import Fault
from hub.nodes import Items, Node, Scalar, Table, fault, walk
from hub.tree import compose

INCLUDABLE = ("connectors", "routes", "syncs", "alerts", "forms", "events")
ROOTS = ("/run/secrets",)
MAX_FILE = 1 << 20
NOTHING_THERE = frozenset({"env.missing", "file.missing", "vault.failed"})


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: the merged tree, the mapping files among the includes, every file's name."""

    tree: Table
    mappings: tuple[Table, ...] = ()
    files: list[str] = field(default_factory=list)


def read(path: Path, report: Report) -> Document | None:
    """Read the file and its includes; None where the file itself is unreadable."""
    root = read_tree(path, report)
    if root is None:
        return None
    parts, mappings, files = [root], [], [str(path)]
    for found in _included(root, path, report):
        files.append(str(found))
        part = read_tree(found, report)
        if part is None:
            continue
        if part.get("mapping") is not None:
            mappings.append(part)
        else:
            parts.append(_includable(part, report))
    return Document(_merged(parts, report), tuple(mappings), files)


def read_tree(path: Path, report: Report) -> Table | None:
    """Read one YAML file whose top is a table."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1).decode()
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        report.add(Fault(code="file.missing", text=text, file=str(path)))
        return None
    except UnicodeDecodeError:
        report.add(Fault(code="yaml.syntax", text="is not UTF-8", file=str(path)))
        return None
    node, faults = compose(text, str(path))
    report.add(*faults)
    if isinstance(node, Table):
        return node
    if not faults:
        report.add(Fault(code="value.type", text="holds no keys", file=str(path), line=1, col=1))
    return None


def _included(root: Table, path: Path, report: Report) -> list[Path]:
    """Give the files that `include` names: its order, each glob sorted, no file twice."""
    node = root.get("include")
    globs = node.items if isinstance(node, Items) else ()
    found: dict[Path, None] = {}
    for item in globs:
        pattern = item.value if isinstance(item, Scalar) else None
        if not isinstance(pattern, str) or not pattern:
            continue  # the shape pass refuses it
        files = sorted(_glob(path.parent, pattern))
        if not files and not any(sign in pattern for sign in "*?["):
            report.add(fault(item, "file.missing", f"there is no file {pattern}"))
        found |= dict.fromkeys(file for file in files if file != path)
    return list(found)


def _glob(folder: Path, pattern: str) -> Iterable[Path]:
    where = Path(pattern)
    if where.is_absolute():
        return Path(where.anchor).glob(str(where.relative_to(where.anchor)))
    return folder.glob(pattern)


def _includable(part: Table, report: Report) -> Table:
    """Leave out what an included file may not hold."""
    kept = []
    for key, value in part.pairs:
        if key.text in INCLUDABLE:
            kept.append((key, value))
        else:
            text = f"an included file has no key '{key.text}'"
            report.add(fault(key, "key.unknown", text, fix=f"it may hold {', '.join(INCLUDABLE)}"))
    return replace(part, pairs=tuple(kept))


def _merged(parts: list[Table], report: Report) -> Table:
    main = parts[0]
    pairs = {key.text: (key, value) for key, value in main.pairs}
    for part in parts[1:]:
        for key, value in part.pairs:
            if key.text not in pairs:
                pairs[key.text] = key, value
                continue
            first, before = pairs[key.text]
            pairs[key.text] = first, _joined(before, value, report)
    return replace(main, pairs=tuple(pairs.values()))


def _joined(before: Node, more: Node, report: Report) -> Node:
    if isinstance(before, Items) and isinstance(more, Items):
        return replace(before, items=before.items + more.items)
    if not (isinstance(before, Table) and isinstance(more, Table)):
        report.add(fault(more, "value.type", "wants what the same key holds in the other files"))
        return before
    new = []
    for key, value in more.pairs:
        if first := before.key(key.text):
            where = f"first in {first.source.file}, line {first.line}"
            text = f"'{key.text}' is defined twice ({where})"
            report.add(fault(key, "yaml.duplicate", text, fix="rename or merge one"))
        else:
            new.append((key, value))
    return replace(before, pairs=(*before.pairs, *new))


def resolve(
    tree: Table, env: Mapping[str, str], folder: Path, report: Report, *, secrets: bool
) -> Table:
    """Replace the references of a tree; a key or item without an optional value is left out.

    Args:
        folder: Where relative `secrets.file_roots` begin.
        secrets: Whether a missing value is an error, or a warning only.
    """
    roots = _roots(tree, References(env), folder)
    # Whoever only looks asks no Vault.
    vault = _vault(tree, References(env, roots)) if secrets else None
    resolver = References(env, roots, vault)
    found = _Resolving(resolver, report, secrets).node(tree)
    return found if isinstance(found, Table) else tree


def _roots(tree: Table, resolver: References, folder: Path) -> list[str]:
    part = tree.get("secrets")
    node = part.get("file_roots") if isinstance(part, Table) else None
    if not isinstance(node, Items):
        return list(ROOTS)
    roots = []
    for item in node.items:
        try:
            root = resolver.resolve(item.text) if isinstance(item, Scalar) else ABSENT
        except BadReference:
            continue  # told with its place when the whole tree is resolved
        if isinstance(root, str) and root:
            roots.append(str(folder / root))
    return roots


def _vault(tree: Table, resolver: References) -> Vault | None:
    """Read where Vault is; what is wrong with it is told when the whole tree is looked at."""
    part = tree.get("secrets")
    node = part.get("vault") if isinstance(part, Table) else None
    said: dict[str, str] = {}
    for path, spot in walk(node) if isinstance(node, Table) else ():
        if isinstance(spot.node, Scalar) and isinstance(spot.node.value, str):
            try:
                value = resolver.resolve(spot.node.value)
            except BadReference:
                continue
            if isinstance(value, str):
                said[".".join(map(str, path))] = str(value)
    address = said.get("address", "")
    if not address.startswith(("https://", "http://")):
        return None
    auth = {name[5:]: value for name, value in said.items() if name.startswith("auth.")}
    return Vault(address, auth, said.get("mount", "secret"))


@dataclass(frozen=True, slots=True)
class _Resolving:
    """One walk over a tree."""

    resolver: References
    report: Report
    secrets: bool

    def node(self, node: Node) -> Node | Absent:
        if isinstance(node, Scalar):
            return self.scalar(node)
        if isinstance(node, Items):
            found = [self.node(item) for item in node.items]
            return replace(node, items=tuple(n for n in found if not isinstance(n, Absent)))
        pairs = [(key, self.node(value)) for key, value in node.pairs if self.key(key)]
        kept = tuple((key, value) for key, value in pairs if not isinstance(value, Absent))
        return replace(node, pairs=kept)

    def key(self, key: Scalar) -> bool:
        if "${" in key.text:
            self.report.add(fault(key, "ref.place", "references are not allowed in keys"))
            return False
        return True

    def scalar(self, node: Scalar) -> Node | Absent:
        if not isinstance(node.value, str):
            return node
        try:
            value = self.resolver.resolve(node.value)
        except BadReference as bad:
            self.told(node, bad.fault)
            whole = is_whole(node.value)
            value = referred("", raw_name(node.value), whole=whole, missing=True)
        return value if isinstance(value, Absent) else replace(node, value=value)

    def told(self, node: Scalar, found: Fault) -> None:
        warning = not self.secrets and found.code in NOTHING_THERE
        offset = max(node.text.find("${"), 0)
        self.report.add(
            fault(node, found.code, found.text, offset=offset, fix=found.fix, warning=warning)
        )
