"""A short run of the fuzzer, and the proof that it would notice."""

from dataclasses import replace

from hub import SignatureError
from tests.webhooks.fuzz import fuzz
from tests.webhooks.samples import SAMPLES

SOME = 700


def test_nothing_escapes_and_nothing_forged_passes():
    seen, wrong = fuzz(SAMPLES, SOME)
    assert wrong == []
    assert sum(seen.values()) == SOME * len(SAMPLES)
    assert seen["ok"] < sum(seen.values()) // 3
    assert all(seen[reason] for reason in ("missing", "malformed", "stale", "early", "mismatch"))


def lenient(request, secret, *, now):
    """A verifier that looks at nothing."""


def brittle(request, secret, *, now):
    """A verifier that trips over what it is sent."""
    if dict(request.headers).get(b"X-Hub-Signature-256", b"").decode() != "sha256=":
        raise SignatureError("mismatch")


def test_a_verifier_with_a_fault_is_found_out():
    github = next(sample for sample in SAMPLES if sample.name == "github")
    for planted, told in ((lenient, "accepted"), (brittle, "UnicodeDecodeError")):
        _, wrong = fuzz([replace(github, verify=planted)], SOME)
        assert any(told in why for _, _, why in wrong)
