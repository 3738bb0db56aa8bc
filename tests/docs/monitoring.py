"""What is written for Prometheus and Grafana: every expression, and the metrics it names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import Histogram
from ruamel.yaml import YAML

from tests.docs.metrics import ours
from tests.docs.pages import ROOT

RULES = ROOT / "deploy/prometheus/hub.rules.yaml"
RULE_TESTS = ROOT / "deploy/prometheus/hub.rules.test.yaml"
DASHBOARD = ROOT / "deploy/grafana/hub.json"
SELECTOR = re.compile(r"\b(hub_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
SCRAPED = frozenset({"instance", "job"})


def read(path: Path) -> Any:
    """Read a YAML file as plain data."""
    return YAML(typ="safe").load(path.read_text("utf-8"))


def rules() -> list[dict[str, Any]]:
    """Give every alert rule."""
    return [rule for group in read(RULES)["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Give every panel of the dashboard."""
    return list(json.loads(DASHBOARD.read_text("utf-8"))["panels"])


def expressions() -> Iterator[tuple[str, str]]:
    """Give where each expression stands, and it."""
    yield from ((rule["alert"], rule["expr"]) for rule in rules())
    for panel in panels():
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def known() -> dict[str, frozenset[str]]:
    """Give the labels of each series that the hub exposes, by its name."""
    found: dict[str, frozenset[str]] = {}
    for one in ours():
        labels = frozenset(one._labelnames)
        if isinstance(one, Histogram):
            found |= {f"{one._name}_{end}": labels for end in ("sum", "count")}
            found[f"{one._name}_bucket"] = labels | {"le"}
        else:
            found[one._name + ("_total" if one._type == "counter" else "")] = labels
    return found


def faults(expression: str) -> Iterator[str]:
    """Name what an expression says that no hub exposes."""
    series = known()
    named: set[str] = set()
    for metric, matchers in SELECTOR.findall(expression):
        if metric not in series:
            yield metric
            continue
        named |= series[metric]
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        yield from (f"{metric}{{{label}}}" for label in labels - series[metric] - SCRAPED)
    grouped = {one.strip() for part in GROUPED.findall(expression) for one in part.split(",")}
    yield from sorted(grouped - named - SCRAPED)
