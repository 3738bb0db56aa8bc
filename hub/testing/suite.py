"""All cases of a folder, and the quality tier that follows from them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb

from hub.config.filters import FILE
from hub.model import Json
from hub.plugin import Connector
from hub.testing import filters
from hub.testing.case import Case, Mismatch
from hub.testing.folder import Folder, load
from hub.testing.inbound import inbound
from hub.testing.outbound import outbound
from hub.testing.shape import shape

TIERS = ("none", "bronze", "silver", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the suite found in a folder.

    Args:
        failed: What does not hold, a text each.
        missing: Tier to what it still needs.
    """

    tier: str
    failed: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]


def cases(path: Path | str) -> list[Case]:
    """Give every case of a connector's folder, or of a `filters.py`; nothing runs yet."""
    if Path(path).name == FILE:
        return filters.filters(path)
    folder = Folder(path)
    return [*shape(folder), *inbound(folder), *outbound(folder)]


def tier(path: Path | str) -> str:
    """Run the suite and give the tier: none, bronze, silver or gold."""
    return report(path).tier


def report(path: Path | str) -> Report:
    """Run the suite and say what failed, what is missing, and the tier reached."""
    folder = Folder(path)
    failed = tuple(_unusable(folder) or _failures(folder, cases(path)))
    if failed:
        return Report(tier="none", failed=failed, missing={})
    missing = {"silver": tuple(_for_silver(folder)), "gold": tuple(_for_gold(folder))}
    reached = "silver" if not missing["silver"] else "bronze"
    reached = "gold" if reached == "silver" and not missing["gold"] else reached
    return Report(tier=reached, failed=(), missing=missing)


def _unusable(folder: Folder) -> list[str]:
    """Say why there is no class to try: one fault, which every case would repeat."""
    try:
        folder.connector  # noqa: B018 -- imports it
    except Exception as error:  # noqa: BLE001 -- a plugin may raise anything; it is reported
        return [f"{folder.kind}: can be imported\n{_told(error)}{_place(folder, error)}"]
    return []


def _failures(folder: Folder, found: list[Case]) -> list[str]:
    """Try every case; what several say alike is said once."""
    told: dict[str, list[str]] = {}
    for case in found:
        try:
            case.check()
        except Exception as error:  # noqa: BLE001 -- as above
            text = _told(error).removeprefix(f"{case}\n") + _place(folder, error)
            told.setdefault(text, []).append(str(case))
    return [f"{cases[0]}{_others(cases)}\n{text}" for text, cases in told.items()]


def _others(cases: list[str]) -> str:
    return f" (and {len(cases) - 1} more)" if len(cases) > 1 else ""


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, Mismatch) else f"{type(error).__name__}: {error}"


def _place(folder: Folder, error: BaseException | None) -> str:
    """Name the last line of the folder's own code that an error, or its cause, passed."""
    found = list[tuple[Path, int | None]]()
    while error is not None:
        found += [(Path(f.filename), f.lineno) for f in extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            found.append((Path(error.filename or ""), error.lineno))
        error = error.__cause__ or error.__context__
    own = [(path, line) for path, line in found if path.is_relative_to(folder.path)]
    return "".join(f"\n  at {path.relative_to(folder.path)}:{line}" for path, line in own[-1:])


def _for_silver(folder: Folder) -> Iterator[str]:
    """Name what silver needs beside a green suite."""
    if folder.connector.check is Connector.check:
        yield "a check() that proves the credentials, and each permission in `needs`"
    if not (folder.path / "sandbox.py").exists():
        yield "a sandbox double"
    for name, spec in folder.connector.actions().items():
        answers = list(_answers(folder, name))
        for what, has in _ANSWERED.items():
            if not any(has(answer) for answer in answers):
                yield f"a fixture of {name} answered {what}"
        looked = any(load(path).get("lookup") for path in folder.fixtures(f"out/{name}"))
        if spec.lookup and not looked:
            yield f"a fixture of the look-up of {name}"


def _for_gold(folder: Folder) -> Iterator[str]:
    if "events" not in folder.connector.sources():
        yield "a source of events, for reconciling"
    if folder.connector.takes_webhooks() and not (folder.path / "fixtures/vectors.json").exists():
        yield "vendor signature vectors"
    proof = folder.given.get("proof", {})
    wanted = {"schema": "the published schema", "sdk": "the vendor's SDK driving the double"}
    for name, what in wanted.items():
        file = proof.get(name, "")
        if not file or not any((root / file).is_file() for root in folder.path.parents):
            yield f'a test against {what}, named in settings.json as "proof": {{"{name}": …}}'


def _answers(folder: Folder, action: str) -> Iterator[Mapping[str, Json]]:
    for path in folder.fixtures(f"out/{action}"):
        yield from (call.get("answer", {}) for call in load(path).get("calls", []))


def _status(answer: Mapping[str, Json]) -> int:
    return int(answer.get("status", 200))


_ANSWERED: Mapping[str, Callable[[Mapping[str, Json]], bool]] = {
    "a 4xx it refuses": lambda one: 400 <= _status(one) < 500 and _status(one) not in {401, 429},
    "401": lambda one: _status(one) == 401,
    "429": lambda one: _status(one) == 429,
    "5xx": lambda one: _status(one) >= 500,
    "by a cut or a hang": lambda one: one.get("fault") in {"cut", "hang"},
}
