"""Finding connector classes: shipped folders, the admin's own, entry points. Imported on demand."""

import importlib
import importlib.util
import sys
import zlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from hub.plugin import Connector

_SHIPPED = Path(__file__).resolve().parent.parent / "connectors"
_PLUGINS = "hub_plugins"
_BUILT_IN = {
    "inbound": "webhooks.inbound",
    "webhook": "webhooks.deliver",
}  # types that are no provider's


def discover(kind: str, folders: Iterable[Path] = ()) -> type[Connector]:
    """Import the connector class of a type: shipped, from a plugin folder, or an entry point.

    Raises:
        LookupError: There is no such type; the message lists those there are.
    """
    for module in _modules(kind, folders):
        for member in vars(module).values():
            own = isinstance(member, type) and issubclass(member, Connector)
            if own and member.__dict__.get("type") == kind:
                return member  # type: ignore[no-any-return] # issubclass was just asked
    raise LookupError(f"no connector type '{kind}' (have: {', '.join(available(folders))})")


def available(folders: Iterable[Path] = ()) -> list[str]:
    """Name the connector types that can be used, without importing any."""
    found = {*_BUILT_IN, *(entry.name for entry in entry_points(group="hub.connectors"))}
    for root in (_SHIPPED, *folders):
        found |= {p.parent.name for p in Path(root).glob("*/__init__.py")}
    return sorted(found)


def has_double(kind: type[Connector]) -> bool:
    """Say whether a double lies beside a connector class."""
    home = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return home is not None and (Path(home).parent / "sandbox.py").is_file()


def homes(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Give the folder of each of these types, without importing any."""
    found: dict[str, Path] = {}
    for root in (_SHIPPED, *folders):
        for path in sorted(Path(root).glob("*/__init__.py")):
            found.setdefault(path.parent.name, path.parent)
    for entry in entry_points(group="hub.connectors"):
        found.setdefault(entry.name, _home(entry.module))
    return found


def _home(module: str) -> Path:
    """Give a package's folder by its outermost package, which alone is found without imports."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    roots = (spec.submodule_search_locations if spec else None) or [top]
    return Path(roots[0], *rest)


def _modules(kind: str, folders: Iterable[Path]) -> Iterable[Any]:
    if kind in _BUILT_IN:
        yield importlib.import_module(_BUILT_IN[kind])
    if (_SHIPPED / kind / "__init__.py").exists():
        yield importlib.import_module(f"connectors.{kind}")
    for folder in folders:
        if (path := Path(folder) / kind / "__init__.py").exists():
            yield _import_folder(_room(Path(folder)), kind, path)
    for entry in entry_points(group="hub.connectors", name=kind):
        yield importlib.import_module(entry.module)


def _room(folder: Path) -> str:
    """Name the package of a plugin folder: two folders may hold one type each of a name."""
    return f"{_PLUGINS}.in_{zlib.crc32(str(folder.resolve()).encode()):08x}"


def _import_folder(room: str, kind: str, path: Path) -> Any:
    name = f"{room}.{kind}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)]
    )
    if spec is None or spec.loader is None:
        raise LookupError(f"{path} cannot be imported")
    for package in (_PLUGINS, room):
        sys.modules.setdefault(package, _package(package))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # half a module must not pass for one the next time
        raise
    return module


def _package(name: str) -> ModuleType:
    """Make an empty package; without it a plugin could not import its own other files."""
    package = ModuleType(name)
    package.__path__ = []
    return package
