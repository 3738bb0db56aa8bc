"""The suite for filters: what the language promises of its own holds for the admin's, too."""

import copy
import doctest
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from hub.config.filters import FILE, Broken, of_file
from hub.model import Json
from hub.testing.case import Case, Mismatch, same
from mappings.filters import FILTERS
from mappings.plugged import Plugged, Unfit
from mappings.values import Stop

SAMPLES: dict[str, list[Json]] = {
    "string": ["", "a", " Grüße, ‹Welt› ", "0", "-1.5", "DE 123 456 789", "x" * 2000, "\x00\n"],
    "int": [0, 1, -1, 10**15],
    "decimal": [Decimal("0.00"), Decimal("-1.50"), Decimal("1E+20")],
    "bool": [True, False],
    "list": [[], [1, "a", None], [{"amount": 5, "currency": "EUR"}]],
    "object": [{}, {"amount": 128450, "currency": "EUR"}, {"a": [{"b": None}]}],
    "null": [None],
}
"""Values by kind; each filter is tried on those of the kinds it takes."""


def filters(path: Path | str) -> list[Case]:
    """Give every case of a `filters.py`; nothing of it is called yet.

    Raises:
        Mismatch: It cannot be imported.
    """
    try:
        return [case for one in of_file(Path(path)) for case in _cases(one)]
    except Broken as error:
        raise Mismatch(f"{path} cannot be imported: {error}") from error


def failures(path: Path | str) -> list[str]:
    """Run the suite over a `filters.py` and say what does not hold, a text each."""
    told = []
    try:
        for case in filters(path):
            try:
                case.check()
            except Mismatch as error:
                told.append(str(error))
    except Mismatch as error:
        told.append(str(error))
    return told


def _cases(one: Plugged | Unfit) -> Iterator[Case]:
    if isinstance(one, Unfit):
        yield Case(f"{FILE}: every function is a filter", partial(_refuse, str(one)))
        return
    for claim, run in (
        ("has a name of its own", _own_name),
        ("says what it does, with an example that holds", _example),
        ("gives what it says, or a mapping error", _held),
        ("gives the same twice and leaves what it is given alone", _pure),
    ):
        yield Case(f"{one.name}: {claim}", partial(run, one))


def _refuse(text: str) -> None:
    raise Mismatch(text)


def _own_name(one: Plugged) -> None:
    if one.name in FILTERS:
        raise Mismatch(f"the language has a filter '{one.name}' already")


def _example(one: Plugged) -> None:
    found = doctest.DocTestFinder(recurse=False).find(
        one.function, one.name, globs=dict(one.function.__globals__)
    )
    if not one.told or not any(each.examples for each in found):
        raise Mismatch(f"it wants a docstring with an example: >>> {one.name}(…)")
    told: list[str] = []
    for each in found:
        if doctest.DocTestRunner(verbose=False).run(each, out=told.append).failed:
            raise Mismatch("".join(told))


def _held(one: Plugged) -> None:
    for given in _given(one):
        try:
            one.run(*given)
        except Stop as stop:
            if "must give" in stop.text:
                raise Mismatch(f"of {given!r}: {stop.text.removeprefix('{path}: ')}") from stop


def _pure(one: Plugged) -> None:
    for given in _given(one):
        kept = copy.deepcopy(given)
        first, second = (_made(one, given) for _ in range(2))
        same("what it gives, the second time", first, second)
        same("what it was given, afterwards", kept, given)


def _made(one: Plugged, given: list[Json]) -> Json:
    try:
        return one.function(*given)
    except Exception as error:  # noqa: BLE001 -- whatever it raises, it must raise again
        return type(error).__name__


def _given(one: Plugged) -> Iterator[list[Json]]:
    """Yield arguments of the kinds it takes: every sample for the first, the rest in step."""
    columns = [[v for kind in kinds for v in SAMPLES[kind]] for kinds in one.takes.values()]
    for n in range(max(map(len, columns))):
        yield [column[n % len(column)] for column in columns]
