"""Interleaved rounds, and what they come to: medians with least and most, as ratios."""

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Work = Callable[[], Awaitable[int]]
Step = TypeVar("Step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Units per second of one case over all rounds.

    Args:
        base: The case that it is a share of; the first of its table where it names none.
    """

    name: str
    rates: tuple[float, ...]
    cpu_ms: tuple[float, ...]
    base: str = ""

    @property
    def median(self) -> float:
        """Give the middle rate."""
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """Give the middle CPU time of a unit, in ms."""
        return statistics.median(self.cpu_ms)


def shown(steps: Sequence[Step], what: str) -> Iterator[Step]:
    """Give the steps; where somebody looks, a bar shows how far it is."""
    console = Console(stderr=True)
    how = {"console": console, "disable": not console.is_terminal, "transient": True}
    yield from track(steps, what, **how)  # type: ignore[arg-type] # as it takes them


def turns(cases: Sequence[str], rounds: int) -> Iterator[str]:
    """Name every case once a round, forth and back, so that a busy machine meets all alike."""
    order = [n for turn in range(rounds) for n in (cases if turn % 2 == 0 else reversed(cases))]
    return shown(order, "measuring")


async def interleave(cases: Mapping[str, Work], rounds: int) -> list[Rate]:
    """Run every case once a round.

    Args:
        cases: Name to work that gives how many units it did.
    """
    rates: dict[str, list[float]] = {name: [] for name in cases}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    for name in turns(list(cases), rounds):
        started, worked = time.perf_counter(), time.process_time()
        done = await cases[name]()
        cpu[name].append((time.process_time() - worked) / done * 1000)
        rates[name].append(done / (time.perf_counter() - started))
    return [Rate(name=n, rates=tuple(rates[n]), cpu_ms=tuple(cpu[n])) for n in cases]


def table(title: str, found: Sequence[Rate], unit: str) -> str:
    """Print cases as ratios to the first, wall and CPU."""
    base = found[0]
    lines = [title, f"{'':44}{'ratio':>8}{'CPU ratio':>11}{'median/s':>11}  least-most ({unit})"]
    for rate in found:
        cpu = statistics.median(rate.cpu_ms) / statistics.median(base.cpu_ms)
        spread = f"{min(rate.rates):,.0f}-{max(rate.rates):,.0f}"
        figures = f"{rate.median / base.median:8.3f}{cpu:11.2f}{rate.median:11,.0f}"
        lines.append(f"{rate.name:44}{figures}  {spread}")
    return "\n".join(lines)


def share(base: float, own: float) -> float:
    """Give the one as a share of the other; not a number where the clock's ticks saw nothing."""
    return base / own if own else math.nan


def base_of(rate: Rate, found: Sequence[Rate]) -> Rate:
    """Give the case of its table that one is a share of."""
    return next((one for one in found if one.name == rate.base), found[0])


def shares(title: str, found: Sequence[Rate], unit: str) -> str:
    """Print cases with the CPU time of a unit, and its base's as a share of it: 1 is as cheap."""
    heads = f"{'CPU ms':>8}{'share':>7}{'median/s':>10}{'share':>7}"
    lines = [title, f"{'':50}{heads}  least-most ({unit})"]
    for rate in found:
        spread = f"{min(rate.rates):,.0f}-{max(rate.rates):,.0f}"
        base = base_of(rate, found)
        by_wall = rate.median / base.median
        lines.append(f"{rate.name:50}{rate.cpu:8.3f}{share(base.cpu, rate.cpu):7.3f}"
                     f"{rate.median:10,.0f}{by_wall:7.3f}  {spread}")  # fmt: skip
    return "\n".join(lines)
