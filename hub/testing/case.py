"""A case of the suite, and how it tells what it expected and what it saw."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hub.model import Json

LONGEST = 600


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
    """Raise Mismatch unless both are equal."""
    if expected != seen:
        raise Mismatch(f"{what}\n  expected  {short(expected)}\n  seen      {short(seen)}")


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
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def time(text: str) -> datetime:
    """Read an RFC 3339 time."""
    return datetime.fromisoformat(text)
