"""How long each of many things took: medians and 99th percentiles, as ratios to the case before."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.rounds import turns

Timed = Callable[[], Awaitable[Sequence[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What one case took, in milliseconds, each round by itself.

    Args:
        base: The case that it is a ratio to; its own name where it is one.
    """

    name: str
    base: str
    rounds: tuple[tuple[float, ...], ...]

    def middle(self) -> float:
        """Give the median of all."""
        return statistics.median(one for its in self.rounds for one in its)

    def p99(self) -> float:
        """Give the middle round's 99th percentile: a hiccup of the machine spoils one round."""
        return statistics.median(_p99(its) for its in self.rounds)

    def whole_p99(self) -> float:
        """Give the 99th percentile of all rounds together."""
        return _p99([one for its in self.rounds for one in its])


def _p99(found: Sequence[float]) -> float:
    return sorted(found)[max(0, -(-len(found) * 99 // 100) - 1)]


async def timed(cases: Mapping[str, Mapping[str, Timed]], rounds: int) -> list[Wait]:
    """Run every case once a round.

    Args:
        cases: Of each store, name to work that gives how long each of its things took. The first
            of a store is what its others are ratios to.
    """
    works = {f"{sort}: {name}": work for sort, its in cases.items() for name, work in its.items()}
    bases = {f"{s}: {name}": f"{s}: {next(iter(its))}" for s, its in cases.items() for name in its}
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in works}
    for name in turns(list(works), rounds):
        found[name].append(tuple(await works[name]()))
    return [Wait(name=n, base=bases[n], rounds=tuple(its)) for n, its in found.items()]


def waits(title: str, found: Sequence[Wait], unit: str) -> str:
    """Print what cases took, and its ratio to the first of their store."""
    by_name = {wait.name: wait for wait in found}
    head = f"{'p50':>8}{'ratio':>7}{'p99':>8}{'ratio':>7}{'p99 of all':>12}{'ratio':>7}"
    lines = [title, f"{'':46}{head}  ms per {unit}"]
    for wait in found:
        base = by_name[wait.base]
        pairs = [(w.middle(), w.p99(), w.whole_p99()) for w in (wait, base)]
        texts = [f"{a:.2f}".rjust(width) + f"{a / b:7.2f}"
                 for a, b, width in zip(*pairs, (8, 8, 12), strict=True)]  # fmt: skip
        lines.append(f"{wait.name:46}{''.join(texts)}")
    return "\n".join(lines)
