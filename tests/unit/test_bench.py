"""The benchmarks run, and compare what they say they compare."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_benchmarks_run_and_print_ratios_to_their_first_line():
    words = [sys.executable, "-m", "bench", "--rounds", "1", "--count", "20"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=True)
    for name in (
        "bare aiohttp server",
        "one caller",
        "SQLite: the order alone",
        "by hand in Python",
    ):
        [line] = [line for line in done.stdout.splitlines() if line.startswith(name)]
        assert "1.000" in line
    assert done.stderr == ""
