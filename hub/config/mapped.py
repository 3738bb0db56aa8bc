"""The mappings a configuration uses: its own and the shipped ones, compiled and checked.

A file of the admin's goes before a shipped one of its name. All of the admin's are compiled, and
of the shipped ones those that routes use.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import mappings
from hub.config.document import read_tree
from hub.config.report import Report
from hub.errors import Fault
from hub.model import Json, read_json
from hub.nodes import Scalar, Table, fault
from mappings import check as checks
from mappings import compile as compiler
from mappings import plugged
from mappings.examples import run_tests

LIBRARY = Path(mappings.__file__ or "").parent / "library"
SchemaOf = Callable[[str], dict[str, Any] | None]
Gives = Literal["bool", "text"]
Mapped = compiler.Mapping
MOST_COMPILED = 500
_compiled: dict[tuple[str, ...], tuple[Mapped | None, list[Fault]]] = {}


class Mappings:
    """Finds mappings by name; compiles each once.

    Args:
        admins: Mapping files among the includes.
        sources: Gives the JSON Schema of a data schema, of an own type, of a connector's event.
        targets: Gives the JSON Schema of an action's input (`segment.track`).
        filters: Those that are not the language's own.
    """

    def __init__(
        self,
        admins: Iterable[Table],
        report: Report,
        *,
        sources: SchemaOf,
        targets: SchemaOf,
        filters: Mapping[str, plugged.Plugged],
    ) -> None:
        self._report, self._sources, self._targets = report, sources, targets
        self._filters = filters
        self._made: dict[str, Mapped | None] = {}
        self._whole: list[tuple[Table, Mapped]] = []
        for table in admins:
            self._own(table)

    def names(self) -> list[str]:
        """Name every mapping that a route may use."""
        return sorted({*self._made, *(path.stem for path in LIBRARY.glob("*.yaml"))})

    def find(self, name: str) -> Mapped | None:
        """Give a mapping; None where it does not exist, or has faults, which are noted."""
        if name not in self._made and (path := LIBRARY / f"{name}.yaml").is_file():
            table = _shipped(path)
            self._made[name] = self._compiled(table) if table is not None else None
        return self._made.get(name)

    def expression(self, scalar: Scalar, source: str, gives: Gives) -> compiler.Compiled | None:
        """Compile an expression of a route over the events of one data schema."""
        root = compiler.root_of(source if "@" in source else "")
        file = scalar.source.file
        names = ("event", root)
        with plugged.in_force(self._filters):
            made, faults = compiler.expression(scalar, file=file, names=names, gives=gives)
            self._report.add(*faults)
            if made is not None:
                schema = self._sources(source)
                self._report.add(*checks.expression(made, schema, file=file, root=root))
        return made

    def tested(self) -> None:
        """Run the tests in the admin's own mapping files; their fixtures lie beside them."""
        for made in self._made.values():
            if made is not None and Path(made.file).parent != LIBRARY:
                self._report.add(*self.failures(made))

    def untyped(self) -> None:
        """Warn of mappings whose source has no schema: nothing that they read is checked."""
        for table, made in self._whole:
            if self._sources(made.from_schema) is None:
                text = f"{made.from_schema} has no schema; what is read of it is not checked"
                fix = "declare it under events:, or in the connector"
                place = table.get("from") or table
                self._report.add(fault(place, "mapping.untyped", text, fix=fix, warning=True))

    def failures(self, made: Mapped) -> list[Fault]:
        """Run the tests of one mapping; one fault or more for each that fails."""
        return run_tests(made, _fixtures(Path(made.file).parent))

    def faults(self) -> list[Fault]:
        """Give what was found wrong so far."""
        return self._report.faults()

    def _own(self, table: Table) -> None:
        node = table.get("mapping")
        name = node.text if isinstance(node, Scalar) else ""
        if name in self._made:
            text = f"there is a mapping '{name}' already"
            self._report.add(fault(node or table, "yaml.duplicate", text, fix="rename one"))
            return
        self._made[name] = self._compiled(table)

    def _compiled(self, table: Table) -> Mapped | None:
        with plugged.in_force(self._filters):
            made, faults = _compiled_once(table)
            self._report.add(*faults)
            if made is not None:
                source, target = self._sources(made.from_schema), self._targets(made.to)
                self._report.add(*checks.check(made, source, target))
                self._whole.append((table, made))
        return made


@cache
def _shipped(path: Path) -> Table | None:
    """Read a shipped file once: like the code beside it, it changes with a release alone."""
    return read_tree(path, Report())


def _compiled_once(table: Table) -> tuple[Mapped | None, list[Fault]]:
    """Compile a file, unless its very text was compiled before: a reload changes few of them."""
    text = table.source.lines
    key = table.source.file, *plugged.digests("\n".join(text)), *text
    if key not in _compiled:
        if len(_compiled) >= MOST_COMPILED:
            _compiled.clear()
        _compiled[key] = compiler.mapping(table, file=table.source.file)
    return _compiled[key]


def _fixtures(folder: Path) -> Callable[[str], Json]:
    """Read the fixtures of the mapping files in a folder."""

    def load(name: str) -> Json:
        for path in (folder / "fixtures" / name, folder / name, LIBRARY / "fixtures" / name):
            if path.is_file():
                return read_json(path.read_bytes())
        raise LookupError(name)

    return load
