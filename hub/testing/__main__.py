"""`python -m hub.testing [--json] FOLDER…`: run the contract suite without pytest."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from hub.config.filters import FILE
from hub.model import Json, write_json
from hub.testing.filters import failures
from hub.testing.folder import Folder
from hub.testing.suite import TIERS, Report, report


def main(words: list[str]) -> int:
    """Print what failed, what the next tier needs, and the tier of each folder.

    Of a `filters.py` it prints what failed, or that all of it holds.

    With `--json` one line of JSON for each folder, which says also what the connector can do.
    Gives 0, 1 where anything failed, 2 where a folder holds no connector.
    """
    folders = [word for word in words if word != "--json"]
    if not folders:
        return _wrong("usage: python -m hub.testing [--json] FOLDER…")
    if hollow := [one for one in folders if not _there(Path(one))]:
        return _wrong(f"{hollow[0]} is no connector's folder: it has no __init__.py")
    failed = False
    for folder in folders:
        if Path(folder).name == FILE:
            failed |= _filters(folder)
            continue
        found = report(folder)
        told = _json(folder, found) if "--json" in words else "\n".join(_lines(folder, found))
        sys.stdout.write(f"{told}\n")
        failed |= bool(found.failed)
    return 1 if failed else 0


def _there(path: Path) -> bool:
    return path.is_file() if path.name == FILE else (path / "__init__.py").is_file()


def _filters(path: str) -> bool:
    """Say what is wrong with a file of filters; True where anything is."""
    told = failures(path)
    for text in told:
        sys.stdout.write(f"FAILED {text}\n\n")
    sys.stdout.write(f"{path}: {f'{len(told)} failed' if told else 'every filter holds'}\n")
    return bool(told)


def _wrong(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 2


def _lines(folder: str, found: Report) -> Iterator[str]:
    yield from (f"FAILED {text}\n" for text in found.failed)
    yield f"{folder}: {found.tier}" + (f", {len(found.failed)} failed" if found.failed else "")
    following = TIERS[TIERS.index(found.tier) + 1 :][:1]
    yield from (f"  {tier} needs {text}" for tier in following for text in _due(found, tier))


def _due(found: Report, tier: str) -> Iterable[str]:
    return found.missing.get(tier, ())


def _json(folder: str, found: Report) -> str:
    told: dict[str, Json] = {"type": Path(folder).resolve().name, "folder": folder}
    told |= {"tier": found.tier, "failed": found.failed, "missing": found.missing}
    return write_json(told | _abilities(Folder(folder))).decode()


def _abilities(folder: Folder) -> dict[str, Json]:
    """Give what the connector can do; nothing where it cannot be imported, which has failed."""
    actions, webhooks = list[dict[str, Json]](), False
    with suppress(Exception):
        webhooks = folder.connector.takes_webhooks()
        for name, spec in folder.connector.actions().items():
            actions.append({"name": name, "effect": spec.effect.kind, "kind": spec.kind})
    return {"actions": actions, "webhooks": webhooks}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
