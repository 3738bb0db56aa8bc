"""What is known to tell of a person by its field's name, and masked wherever it comes up."""

import pytest

from hub.personal import MASK, Mask, is_personal

TOLD = (
    "email", "receipt_email", "receiptEmail", "customer-email", "billing_phone", "clientIp",
    "ship_postalCode", "emailAddress", "address_line1", "date_of_birth",
)  # fmt: skip
UNTOLD = ("sku", "membership", "email_template", "zip_file", "clip", "capacity", "city_count")


@pytest.mark.parametrize("name", TOLD)
def test_a_name_tells_of_a_person_by_its_end(name):
    assert is_personal(name)
    mask = Mask({"object": {name: "Canary-7"}})
    assert mask({"text": "of canary-7!"}) == {"text": f"of {MASK}!"}


@pytest.mark.parametrize("name", UNTOLD)
def test_other_names_do_not(name):
    assert not is_personal(name)
    assert Mask({name: "Canary-7"})({"text": "of Canary-7"}) == {"text": "of Canary-7"}
