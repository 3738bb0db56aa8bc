"""Signing what we deliver: the libraries of receivers and our own verifier agree."""

from datetime import UTC, datetime

import pytest
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Oracle

from hub.errors import SignatureError
from hub.model import Request, read_json, write_json
from hub.secrets import Secret
from webhooks.deliver import (
    Target,
    Webhook,
    check_key,
    jwks,
    new_key,
    public_key,
    signature,
    signed,
)
from webhooks.library import SCHEMES

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=4),
    max_leaves=20,
)  # fmt: skip


def request(body, headers):
    raw = tuple((n.encode(), v.encode()) for n, v in headers.items())
    return Request(method="POST", url="https://x.example/hook", headers=raw, body=body)


def test_the_specification_s_own_example_is_signed_alike():
    """Source: standard-webhooks/spec/standard-webhooks.md, Signature scheme, example."""
    key = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "spec")
    body = b'{"test": 2432232314}'
    message = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    assert signature(message, key) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=JSON.map(write_json), raw=st.binary(min_size=24, max_size=64))
def test_our_own_verifier_and_the_library_take_what_we_sign(body, raw):
    import base64  # noqa: PLC0415

    secret = check_key(Secret("whsec_" + base64.b64encode(raw).decode(), "k"))
    now = datetime.now(UTC)
    headers = signed("evt_1", body, [secret], now=now)
    for oracle in (Oracle, svix.webhooks.Webhook):
        oracle(secret.text()).verify(body, headers)
    verifier = SCHEMES["standard_webhooks"].signer()
    verifier.verify(request(body, headers), secret, now=now.timestamp())
    with pytest.raises(SignatureError):
        verifier.verify(request(body + b" ", headers), secret, now=now.timestamp())


def test_v1a_is_taken_by_its_public_key_alone():
    secret, other = new_key(b"a" * 32, asymmetric=True), new_key(b"b" * 32, asymmetric=True)
    headers = signed("evt_1", b"{}", [secret], now=NOW)
    verifier = SCHEMES["standard_webhooks"].signer()
    sent, now = request(b"{}", headers), NOW.timestamp()
    verifier.verify(sent, Secret(public_key(secret), "p"), now=now)
    with pytest.raises(SignatureError):
        verifier.verify(sent, Secret(public_key(other), "p"), now=now)
    assert [key["x"] for key in jwks([secret, other])["keys"]]
    assert jwks([new_key(b"a" * 32)]) == {"keys": []}


@given(value=st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_what_is_sent_is_byte_for_byte_what_was_written(value):
    written = write_json(value)
    assert write_json(read_json(written)) == written


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("https://a.example/x?y=1", "https://a.example", "/x?y=1"),
        ("https://a.example", "https://a.example", "/"),
        ("https://a.example:8443/", "https://a.example:8443", "/"),
        ("https://a.example?x=1", "https://a.example", "/?x=1"),
    ],
)
def test_a_url_is_called_whole(url, base, path):
    assert Target.of(url) == Target(base, path)


def test_no_secret_stands_in_a_settings_text():
    settings = Webhook.Settings.model_validate(
        {"endpoints": {"a": {"url": "https://a.example/", "secrets": [new_key(b"a" * 32)]}}}
    )
    assert "YWFh" not in repr(settings)
    assert "YWFh" not in repr(settings.subscribers())
