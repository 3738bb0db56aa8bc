"""Every operation of the OpenAPI document, as every role: no server error, no answer unsaid.

HUB_API_EXAMPLES=200 sends more of each.
"""

import os
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.api.app import ENDPOINTS
from hub.api.endpoint import Endpoint
from tests.e2e.stage import Hub

ROLES = ("admin", "shop", "support", "readonly")
EXAMPLES = int(os.environ.get("HUB_API_EXAMPLES", "3"))
CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="session")
def keys(hub: Hub) -> dict[str, str]:
    return {role: hub.new_key(role) for role in ROLES}


@pytest.fixture(scope="session")
def document(hub: Hub) -> Any:
    return schemathesis.openapi.from_url(f"{hub.url}/openapi.json")


@pytest.fixture(scope="session")
def ids(hub: Hub) -> dict[str, str]:
    """Real things of each sort, so that not every answer is a 404."""
    price = {"amount": 2900, "currency": "EUR"}
    variant = {"sku": "fuzzed", "prices": [price], "on_hand": 1000}
    body = {"title": "Fuzzed", "status": "active", "variants": [variant]}
    product = _made(hub, "/v1/products", body)
    line = {"variant": "fuzzed", "qty": 1}
    cart = _made(hub, "/v1/carts", {"currency": "EUR", "email": "f@example.com", "lines": [line]})
    agreed = {"expected_total": cart["totals"]["total"], "payment": {"connector": "stripe"}}
    done = _made(hub, f"/v1/carts/{cart['id']}/complete", agreed)
    order, payment = done["order"]["id"], done["payment"]["id"]
    return {"products": product["id"], "carts": cart["id"], "orders": order, "payments": payment}


def _made(hub: Hub, path: str, body: Any) -> Any:
    sent = {"Authorization": f"Bearer {hub.key}", "Idempotency-Key": f"fuzz-{path}"}
    answer = requests.post(hub.url + path, json=body, headers=sent, timeout=30)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def _cases(operation: Any) -> Any:
    """Give good and bad requests of an operation."""
    return st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)


# A stream never ends by itself; tests/unit/api/test_stream.py hears it.
ANSWERED = [one for one in ENDPOINTS if one.kind == "application/json"]


@pytest.mark.parametrize("endpoint", ANSWERED, ids=lambda one: f"{one.method} {one.path}")
def test_every_operation_answers_as_it_says(
    endpoint: Endpoint, document: Any, keys: dict[str, str], ids: dict[str, str], hub: Hub
) -> None:
    operation = document[f"/v1{endpoint.path}"][endpoint.method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_cases(operation), real=st.booleans())
    def run(case: Any, real: bool) -> None:
        if real and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = ids.get(endpoint.path.split("/")[1], "none")
        assume(len(repr(case.query)) < 900)  # what no HTTP server reads never comes to the API
        for role in ROLES:
            sent = {"Authorization": f"Bearer {keys[role]}"}
            answer = case.call(base_url=hub.url, headers=sent)
            case.validate_response(answer, checks=CHECKS, headers=sent)

    run()
