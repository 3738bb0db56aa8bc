"""The hub is an application in its own environment: its five packages must be its own.

Five common names lie at the top level. Another distribution that brings one of them merges into
our files without a word, and its removal deletes ours.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from hub.errors import Fault

PACKAGES = ("hub", "connectors", "webhooks", "mappings", "store")
DISTRIBUTION = "shop-hub"
FIX = "install the hub in an environment of its own"


def foreign(owners: Mapping[str, Sequence[str]]) -> list[Fault]:
    """Find the distributions that bring a package of our name.

    >>> [f.text for f in foreign({"hub": ["shop-hub", "hub"]})]
    ["the distribution 'hub' brings a package 'hub', which is ours"]
    """
    return [
        Fault(code="install.foreign", text=f"the distribution '{owner}' brings a package '{name}', "
              "which is ours", fix=FIX)
        for name in PACKAGES
        for owner in sorted(set(owners.get(name, ())) - {DISTRIBUTION})
    ]  # fmt: skip


def scattered(homes: Mapping[str, Path | None]) -> list[Fault]:
    """Find the packages that do not lie beside `hub`."""
    home = homes["hub"]
    return [
        Fault(code="install.foreign", text=f"the package '{name}' lies in {where}, not beside hub",
              fix=FIX)
        for name, where in homes.items()
        if where != home
    ]  # fmt: skip


@cache
def check() -> tuple[Fault, ...]:
    """Find what is wrong with this installation, once in a process."""
    homes = {name: _home(name) for name in PACKAGES}
    return (*foreign(owners()), *scattered(homes))


def owners() -> dict[str, list[str]]:
    """Name the distributions that bring a package of our name, by what they say they installed."""
    found: dict[str, list[str]] = {}
    for one in distributions():
        record = f"\n{one.read_text('RECORD') or one.read_text('SOURCES.txt') or ''}"
        roots = (one.read_text("top_level.txt") or "").split()
        for name in PACKAGES:
            if f"\n{name}/" in record or name in roots:
                found.setdefault(name, []).append(one.name)
    return found


def _home(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
