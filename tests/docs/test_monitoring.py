"""Rules and dashboard name what the hub exposes; every rule fires in its test and has a runbook."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs import monitoring
from tests.docs.monitoring import RULE_TESTS, RULES, expressions, panels, rules
from tests.docs.pages import ROOT, anchors

PROMTOOL = shutil.which("promtool")
promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not here")


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_names_what_the_hub_exposes(where: str, expression: str) -> None:
    assert [*monitoring.faults(expression)] == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("hub_jobz > 0", ["hub_jobz"]),
        ("rate(hub_attempts[5m])", ["hub_attempts"]),
        ('hub_jobs{conector="crm"} > 0', ["hub_jobs{conector}"]),
        ("sum by (route) (hub_jobs)", ["route"]),
        ("hub_commit_seconds > 1", ["hub_commit_seconds"]),
    ],
)
def test_one_that_does_not_is_caught(expression: str, told: list[str]) -> None:
    assert [*monitoring.faults(expression)] == told


def test_every_rule_has_a_runbook_and_a_severity() -> None:
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert anchor in anchors((ROOT / page).read_text("utf-8")), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_rule_has_a_test_in_which_it_fires() -> None:
    fired = {
        one["alertname"]
        for test in monitoring.read(RULE_TESTS)["tests"]
        for one in test["alert_rule_test"]
        if one["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


def test_the_dashboard_shows_cause_and_age_and_overlaps_nowhere() -> None:
    shown = " ".join(expression for _, expression in expressions())
    for metric in ("hub_connector_halted", "hub_oldest_job_seconds", "hub_oldest_due_seconds"):
        assert metric in shown
    places = [panel["gridPos"] for panel in panels()]
    cells = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels()}) == len(places)


def asked(*words: str, at: Path) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *words], cwd=at, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_promtool_has_every_rule_fire() -> None:
    asked("check", "rules", RULES.name, at=RULES.parent)
    asked("test", "rules", RULE_TESTS.name, at=RULES.parent)


@promtool
def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    lines = ["groups:", "  - name: dashboard", "    rules:"]
    for n, (_, expression) in enumerate(expressions()):
        plain = expression.replace("$__rate_interval", "5m").replace("$connector", ".*")
        lines += [f"      - record: panel:{n}", "        expr: >-"]
        lines += [f"          {line}" for line in plain.splitlines()]
    (tmp_path / "panels.yaml").write_text("\n".join(lines) + "\n")
    asked("check", "rules", "panels.yaml", at=tmp_path)
