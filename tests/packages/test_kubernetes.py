"""The Kustomize files: each object's rules, and the whole where kubectl is installed."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hub import config
from hub.config.units import duration
from hub.shop.vocabulary import VOCABULARY
from tests.packages.conftest import DEPLOY

BASE = DEPLOY / "kubernetes/base"
PRODUCTION = DEPLOY / "kubernetes/overlays/production"
ENV = {
    "HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=", "SEGMENT_WRITE_KEY": "of-the-tests",
    "HUB_PUBLIC_URL": "https://hub.example.com", "HUB_ENV": "staging",
    "HUB_STORE_URL": "postgresql+asyncpg://hub@db/shop",
}  # fmt: skip


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def resources() -> dict[str, Any]:
    found = [read(BASE / name) for name in read(BASE / "kustomization.yaml")["resources"]]
    return {one["kind"]: one for one in found}


def pods() -> Iterator[Any]:
    yield resources()["Deployment"]["spec"]["template"]["spec"]
    yield resources()["Job"]["spec"]["template"]["spec"]


def test_every_file_is_listed() -> None:
    listed = set(read(BASE / "kustomization.yaml")["resources"])
    assert listed == {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}


@pytest.mark.parametrize("pod", list(pods()), ids=["deployment", "job"])
def test_a_pod_may_little(pod: Any) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_hubs_are_replaced_one_by_one_and_asked_in_the_right_places() -> None:
    deployment = resources()["Deployment"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    [container] = deployment["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["startupProbe"]["httpGet"]["path"] == "/livez"
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (
        deployment["selector"]["matchLabels"],
        resources()["Service"]["spec"]["selector"],
        resources()["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()


def test_a_pod_is_not_killed_before_it_has_drained() -> None:
    service = read(PRODUCTION / "config.yaml")["service"]
    drains = duration(service["shutdown_delay"]) + duration(service["shutdown_grace"])
    pod = resources()["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > drains.total_seconds()
    probe = pod["containers"][0]["readinessProbe"]
    notices = probe["periodSeconds"] * probe["failureThreshold"]
    assert duration(service["shutdown_delay"]).total_seconds() >= 2 * notices


def test_the_network_policy_keeps_private_addresses_from_port_443() -> None:
    policy = resources()["NetworkPolicy"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    [block] = [
        rule["to"][0]["ipBlock"] for rule in policy["egress"] if rule["ports"][0]["port"] == 443
    ]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(
        block["except"]
    )


@pytest.mark.parametrize("folder", [PRODUCTION, DEPLOY / "compose/config"], ids=["k8s", "compose"])
def test_the_configuration_shown_has_no_fault(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.yaml"):
        text = path.read_text().replace("${file:/run/secrets/postgres_password}", "made-up")
        (tmp_path / path.name).write_text(text)
    faults = config.check(tmp_path / "config.yaml", ENV, shop=VOCABULARY)
    assert [str(fault) for fault in faults if not fault.warning] == []


def test_kustomize_builds_it() -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        [kubectl, "kustomize", str(PRODUCTION)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    built = list(YAML(typ="safe", pure=True).load_all(done.stdout))
    assert {one["kind"] for one in built} == {*resources(), "ConfigMap"}
    assert {one["metadata"]["namespace"] for one in built} == {"shop"}
    [deployment] = [one for one in built if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].endswith("/shop-hub:0.1.0")
    [job] = [one for one in built if one["kind"] == "Job"]
    assert job["spec"]["template"]["spec"]["containers"][0]["image"].endswith("/shop-hub:0.1.0")
