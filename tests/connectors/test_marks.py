"""Every shipped action says which of its fields are for personal data, so that the rest is not."""

import pytest

from hub.discovery import discover
from hub.personal import MARK

PERSONAL = {
    ("hubspot", "upsert_contacts"): {"email", "properties"},
    ("hubspot", "upsert_deals"): set(),
    ("hubspot", "upsert_line_items"): set(),
    ("sendgrid", "send"): {"to", "subject", "text", "html"},
    ("sendgrid", "send_template"): {"to", "data"},
    ("segment", "track"): {"context"},
    ("segment", "identify"): {"context", "traits"},
    ("stripe", "create_payment"): {"email"},
    ("stripe", "create_checkout"): {"email"},
}


@pytest.mark.parametrize(("kind", "action"), PERSONAL, ids=".".join)
def test_an_action_marks_what_is_for_personal_data(kind: str, action: str) -> None:
    schema = discover(kind).actions()[action].model.model_json_schema()
    marked = {name for name, one in schema["properties"].items() if one.get(MARK)}
    assert marked == PERSONAL[kind, action]
    assert marked or schema[MARK] is False
