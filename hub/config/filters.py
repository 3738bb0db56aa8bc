"""Filters that are not ours: of `filters.py` in the folders of `plugins:`, and of entry points.

A file is imported anew when its bytes have changed, so that a reload takes the new one, and two
configurations side by side each have their own.
"""

import hashlib
import inspect
import sys
import zlib
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hub.config.report import Report
from hub.errors import Fault
from mappings.filters import FILTERS
from mappings.plugged import Plugged, Unfit, plugged

FILE = "filters.py"
GROUP = "hub.filters"
_read: dict[tuple[Path, str], ModuleType] = {}


class Broken(Exception):
    """A file or an entry point cannot be imported; the text says why."""


def found(folders: Iterable[Path], report: Report) -> dict[str, Plugged]:
    """Give every filter that is not ours, by name; what cannot be one is told."""
    kept: dict[str, Plugged] = {}
    for one in _all([folder / FILE for folder in folders], report):
        before = kept.get(one.name)
        if one.name in FILTERS or before is not None:
            other = before.origin if before else "the language"
            text = f"the filter '{one.name}' comes from {other} and {one.origin}"
            report.add(Fault(code="filter.clash", text=text, fix="give one another name"))
            continue
        kept[one.name] = one
    return kept


def of_file(path: Path) -> Iterator[Plugged | Unfit]:
    """Yield each public function of a file as a filter, or why it is none.

    Raises:
        Broken: The file cannot be imported.
    """
    module, digest = _module(path)
    for name, member in vars(module).items():
        own = inspect.isfunction(member) and member.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield _made(name, member, str(path), digest)


def _all(files: Iterable[Path], report: Report) -> Iterator[Plugged]:
    for path in files:
        if path.is_file():
            yield from _told(str(path), of_file(path), report)
    for entry in entry_points(group=GROUP):
        yield from _told(f"{GROUP}: {entry.value}", _of_entry(entry), report)


def _told(where: str, made: Iterator[Plugged | Unfit], report: Report) -> Iterator[Plugged]:
    try:
        for one in made:
            if isinstance(one, Unfit):
                report.add(Fault(code="filter.unfit", text=f"{where}: {one}", fix=_FIX))
            else:
                yield one
    except Broken as error:
        report.add(Fault(code="filter.broken", text=f"{where} cannot be imported: {error}"))


_FIX = "def name(value: str) -> str, a plain function; helpers begin with _"


def _made(name: str, function: Any, origin: str, digest: str) -> Plugged | Unfit:
    try:
        return plugged(name, function, origin=origin, digest=digest)
    except Unfit as error:
        return error


def _of_entry(entry: Any) -> Iterator[Plugged | Unfit]:
    try:
        function = entry.load()
        source = Path(inspect.getfile(function)).read_bytes()
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    origin = entry.dist.name if entry.dist is not None else entry.value
    yield _made(entry.name, function, origin, hashlib.sha256(source).hexdigest())


def _module(path: Path) -> tuple[ModuleType, str]:
    """Import a file, once for each of its contents."""
    path = path.resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise Broken(error.strerror) from error
    digest = hashlib.sha256(source).hexdigest()
    if (path, digest) not in _read:
        _read[path, digest] = _imported(path, source, digest)
    return _read[path, digest], digest


def _imported(path: Path, source: bytes, digest: str) -> ModuleType:
    name = f"hub_plugins.filters_{zlib.crc32(str(path).encode()):08x}_{digest[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None:
        raise Broken("it is no Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 -- the admin's own code, as a connector's
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise Broken(f"{type(error).__name__}: {error}") from error
    return module
