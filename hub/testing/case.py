"""A case of the suite, and how it tells what it expected and what it saw."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from pydantic import ValidationError

from hub.model import Json

LONGEST = 600
MOST_PLACES = 5


class Absent:
    """What stands where one of two objects has nothing."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


class Mismatch(AssertionError):
    """A connector or its fixture is not as the contract says."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to check of one connector; `str(case)` names file and claim."""

    name: str
    run: Callable[[], Awaitable[None] | None]

    def check(self) -> None:
        """Run it, in an event loop of its own where it needs one.

        Raises:
            Mismatch: The claim does not hold.
        """
        try:
            if (work := self.run()) is not None:
                asyncio.run(_wait(work))
        except Mismatch as error:
            raise Mismatch(f"{self.name}\n{error}") from None

    def __str__(self) -> str:
        return self.name


async def _wait(work: Awaitable[None]) -> None:
    await work


def same(what: str, expected: Json, seen: Json) -> None:
    """Raise Mismatch unless both are equal; of two objects it names the places that differ."""
    if expected != seen:
        places = islice(_apart("", expected, seen), MOST_PLACES)
        raise Mismatch("\n".join(f"{what}{place}\n{text}" for place, text in places))


def _apart(place: str, expected: Json, seen: Json) -> Iterator[tuple[str, str]]:
    """Yield each place where two values differ, and how; ones of no like shape differ whole."""
    if expected == seen:
        return
    if isinstance(expected, dict) and isinstance(seen, dict) and expected.keys() & seen.keys():
        for name in expected | seen:
            here = f"{place}.{name}" if place else f": {name}"
            yield from _apart(here, expected.get(name, ABSENT), seen.get(name, ABSENT))
    elif isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for i, (one, other) in enumerate(zip(expected, seen, strict=True)):
            yield from _apart(f"{place}[{i}]", one, other)
    else:
        yield place, f"  expected  {short(expected)}\n  seen      {short(seen)}"


def part(what: str, expected: Mapping[str, Json], seen: Mapping[str, Json]) -> None:
    """Raise Mismatch unless all that is expected is seen; more may be."""
    same(what, expected, {name: seen.get(name) for name in expected})


def need(holds: object, text: str) -> None:
    """Raise Mismatch with this text unless it holds."""
    if not holds:
        raise Mismatch(text)


def known(what: str, given: Mapping[str, Json], allowed: Collection[str]) -> None:
    """Raise Mismatch where a fixture has a key that nothing reads: a misspelt check is none."""
    need(isinstance(given, dict), f"{what} is no object")
    extra = sorted(set(given) - set(allowed))
    need(not extra, f"{what} has unknown keys {extra}; allowed are {sorted(allowed)}")


def faults(error: ValidationError) -> str:
    """Give what pydantic found, each field with its message, on one line."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())


def short(value: Any) -> str:
    """Print a value, cut where it is long."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def time(text: str) -> datetime:
    """Read an RFC 3339 time."""
    return datetime.fromisoformat(text)
