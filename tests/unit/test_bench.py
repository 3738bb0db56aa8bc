"""The benchmarks run, and compare what they say they compare."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.check import worse
from bench.report import Report
from bench.rounds import Rate, shares

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
    "jobs": "bare aiohttp client",
    "start": "SQLite, synchronous=FULL: s to the first 200",
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", FIRST)
def test_a_benchmark_runs_and_prints_ratios_to_its_first_line(name):
    words = [sys.executable, "-m", "bench", "--rounds", "1", "--count", "20", "--only", name]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=230, check=True)
    first = next(line for line in done.stdout.splitlines() if line.startswith(FIRST[name]))
    assert name in ("jobs", "start") or "1.00" in first  # a tick of the clock is 10 ms
    assert done.stderr == ""


def test_a_report_is_for_people_and_for_machines(tmp_path):
    report = Report()
    found = [Rate(name="bare & plain", rates=(10.0,), cpu_ms=(0.5,)),
             Rate(name="whole", rates=(5.0,), cpu_ms=(2.0,))]  # fmt: skip
    printed = report.add("one", "A case", found, shares("A case", found, "units"))
    report.write(tmp_path)
    assert "whole" in printed
    assert "0.250" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["cases"]["one"][1]["cpu_ms"] == [2.0]
    assert ET.fromstring((tmp_path / "chart.svg").read_text()).tag.endswith("svg")


def test_a_ratio_may_fall_by_a_quarter_and_no_more():
    assert worse({"jobs": {"SQLite": 0.2}}, {"jobs": {"SQLite": 0.151}}) == []
    assert worse({"jobs": {"SQLite": 0.2}}, {"jobs": {"SQLite": 0.149}}) != []
