"""S32: a connector that takes webhooks and has no secret keeps the hub from starting."""

import pytest

from hub import config
from hub.discovery import discover, homes
from store.crypto import new_key
from tests.docs.effects import SHIPPED

NONE = {
    "no secrets key": "{}",
    "no secret": "{ secrets: [] }",
    "an absent one": '{ secrets: ["${env:ABSENT?}"] }',
}
KINDS = sorted(
    kind for kind, home in homes().items()
    if home.parent == SHIPPED and discover(kind).takes_webhooks()
)  # fmt: skip


def faults(tmp_path, kind: str, webhooks: str) -> list[str]:
    path = tmp_path / "config.yaml"
    text = f"connectors: {{ it: {{ type: {kind}, settings: {{}}, webhooks: {webhooks} }} }}\n"
    path.write_text(f'version: 1\nstore: {{ encryption_keys: ["${{env:HUB_KEY}}"] }}\n{text}')
    return [fault.code for fault in config.check(path, {"HUB_KEY": new_key()})]


@pytest.mark.parametrize("what", NONE)
@pytest.mark.parametrize("kind", [*KINDS, "inbound"])
def test_s32_without_a_secret_the_hub_does_not_start(tmp_path, kind, what):
    assert "webhook.secret" in faults(tmp_path, kind, NONE[what])


def test_s32_every_shipped_type_that_takes_webhooks_is_asked():
    assert {"stripe", "hubspot", "sendgrid", "segment"} <= set(KINDS)
