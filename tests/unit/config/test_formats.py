"""Faults for machines say the same as those for people."""

import json

import pytest

from hub.config.formats import FORMATS, as_github, as_json, as_sarif
from hub.errors import Fault

FAULTS = [
    Fault(
        code="value.unit", text="wants a duration\nnow", file="a,b.yaml", line=3, col=7, fix="30s"
    ),
    Fault(code="route.twice", text="100% the same", file="c.yaml", line=1, col=1, warning=True),
    Fault(code="install.foreign", text="elsewhere"),
]


def test_json_is_a_list_of_objects():
    first, second, third = json.loads(as_json(FAULTS))
    assert first == {
        "level": "error", "code": "value.unit", "text": "wants a duration\nnow",
        "file": "a,b.yaml", "line": 3, "col": 7, "fix": "30s",
    }  # fmt: skip
    assert second["level"] == "warning"
    assert third["line"] == 0


def test_github_reads_one_line_each():
    assert as_github(FAULTS).splitlines() == [
        "::error file=a%2Cb.yaml,line=3,col=7,title=value.unit::wants a duration%0Anow%0Afix: 30s",
        "::warning file=c.yaml,line=1,col=1,title=route.twice::100%25 the same",
        "::error title=install.foreign::elsewhere",
    ]


def test_sarif_has_a_result_each_and_a_rule_for_each_code():
    document = json.loads(as_sarif(FAULTS))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} == rules
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a,b.yaml"
    assert place["region"] == {"startLine": 3, "startColumn": 7}
    assert "locations" not in run["results"][2]


@pytest.mark.parametrize("form", FORMATS)
def test_no_fault_is_said_too(form):
    assert FORMATS[form]([]) in ("", "[]") or form == "sarif"
