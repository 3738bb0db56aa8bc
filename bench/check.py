"""`make bench-check`: have the CPU ratios of ingest, jobs and end to end become worse?

    python -m bench.check --write    writes bench/baseline.json anew

Ratios within one interleaved run, never wall times: those are the machine's neighbours'. A ratio
may fall by a quarter before that is a fault; CPU times of one machine differ by a fifth.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from bench.rounds import Rate
from bench.whole import jobs, ladder, whole
from hub import log

BASELINE = Path(__file__).parent / "baseline.json"
TOLERANCE = 0.25
CASES = {"ladder": ladder, "jobs": jobs, "whole": whole}


def ratios(found: list[Rate]) -> dict[str, float]:
    """Give the first one's CPU time as a share of each other one's."""
    return {rate.name: round(found[0].cpu / rate.cpu, 4) for rate in found[1:] if rate.cpu}


def worse(baseline: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> list[str]:
    """Say which ratios fell by more than the tolerance.

    >>> worse({"jobs": {"SQLite": 0.2}}, {"jobs": {"SQLite": 0.1}})
    ['jobs, SQLite: 0.100, was 0.200']
    >>> worse({"jobs": {"SQLite": 0.2}}, {"jobs": {"SQLite": 0.16}})
    []
    """
    pairs = [(case, name, was) for case, its in baseline.items() for name, was in its.items()]
    return [
        f"{case}, {name}: {now[case][name]:.3f}, was {was:.3f}"
        for case, name, was in pairs
        if now[case][name] < was * (1 - TOLERANCE)
    ]


async def main() -> int:
    """Measure and compare; exit 1 where something became worse."""
    words = argparse.ArgumentParser(prog="bench.check")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--count", type=int, default=600)
    words.add_argument("--write", action="store_true")
    asked = words.parse_args()
    log.setup(level="CRITICAL")
    now: dict[str, dict[str, float]] = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            now[name] = ratios(await case(Path(folder), asked.count, asked.rounds))
    if asked.write:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
        return 0
    faults = worse(json.loads(BASELINE.read_text()), now)
    print("\n".join(faults) or f"no CPU ratio fell by more than {TOLERANCE:.0%}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
