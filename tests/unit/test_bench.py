"""The benchmarks run, and compare what they say they compare."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import CASES

ROOT = Path(__file__).parent.parent.parent
FIRST = {
    "ingest": "bare aiohttp server",
    "commits": "one caller",
    "orders": "SQLite: the order alone",
    "buyers": "stock for all",
    "maps": "by hand in Python",
    "claims": "SQLite, claim: nothing else",
    "dead": "SQLite: no other",
    "retention": "SQLite: at rest",
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CASES)
def test_a_benchmark_runs_and_prints_ratios_to_its_first_line(name):
    words = [sys.executable, "-m", "bench", "--rounds", "1", "--count", "20", "--only", name]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=230, check=True)
    first = next(line for line in done.stdout.splitlines() if line.startswith(FIRST[name]))
    assert "1.00" in first
    assert done.stderr == ""
