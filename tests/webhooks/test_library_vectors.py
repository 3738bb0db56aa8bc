"""Every scheme of the library decides its vendor's published vectors, or our own, as they say."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub import Request, Secret, SignatureError
from tests.webhooks.samples import HOST
from webhooks.library import SCHEMES

FILES = sorted((Path(__file__).parent / "vectors").glob("*.json"))
VECTORS = [
    (file.stem, vectors, case)
    for file in FILES
    for vectors in [json.loads(file.read_text())]
    for case in vectors["cases"]
]


def decided(vectors, case) -> str:
    """Give `ok` or the SignatureError's reason; any other error is the test's failure."""
    settings = case.get("settings", vectors.get("settings", {}))
    signer = SCHEMES[vectors["scheme"]].signer(**settings)
    listed = {n: v if isinstance(v, list) else [v] for n, v in case["headers"].items()}
    request = Request(
        method="POST",
        url=case.get("url", HOST + vectors["scheme"]),
        headers=tuple((n.encode(), v.encode()) for n, values in listed.items() for v in values),
        body=case["body"].encode(),
        received_at=datetime.fromtimestamp(case["now"], UTC),
    )
    try:
        signer.verify(request, Secret(case["secret"], "vector"), now=float(case["now"]))
    except SignatureError as error:
        return error.reason
    return "ok"


CASES = [pytest.param(v, case, id=f"{file}: {case['name']}") for file, v, case in VECTORS]


@pytest.mark.parametrize(("vectors", "case"), CASES)
def test_a_vector_is_decided_as_it_says(vectors, case):
    assert decided(vectors, case) == case["expected"]


def test_every_scheme_has_vectors_that_pass_and_that_fail():
    passed = {v["scheme"] for _, v, c in VECTORS if c["expected"] == "ok"}
    refused = {v["scheme"] for _, v, c in VECTORS if c["expected"] != "ok"}
    assert passed == set(SCHEMES) - {"basic"}  # the same class as postmark's
    assert refused >= passed - {"hmac"}
    assert SCHEMES["basic"].signer is SCHEMES["postmark"].signer


def test_every_file_of_vectors_says_where_it_is_from():
    for file in FILES:
        origin = json.loads(file.read_text())["origin"]
        assert origin.keys() & {"repo", "url", "self-made"}, file.name
