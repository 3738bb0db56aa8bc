"""What we send to HubSpot fits the vendor's own types, with unknown fields forbidden."""

import copy
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from connectors.hubspot import UNIQUE, bodies
from connectors.hubspot.inputs import TYPES
from tests.connectors.hubspot_schemas import OPERATIONS, schema

SCHEMAS = {path: schema(hint, in_path) for path, (hint, in_path) in OPERATIONS.items()}
CONTACTS = "/crm/objects/2026-03/contacts/batch/upsert"
LINKS = "/crm/associations/2026-03/0-3/contacts/batch/create"
PROPERTY = "/crm/properties/2026-03/0-3"


def faults(path, body):
    """Say what is wrong with a body; a path that no operation has is a fault of the test."""
    found = [one for pattern, one in SCHEMAS.items() if re.fullmatch(pattern, path)]
    assert len(found) == 1, path
    return [error.message for error in Draft202012Validator(found[0]).iter_errors(body)]


def upsert(rows):
    return bodies.upsert_body("job_1", "email", rows)[0]


GOOD = [
    # path, body
    (CONTACTS, upsert([("a@example.com", {})])),
    (CONTACTS, upsert([(f"a{n}@example.com", {"firstname": "Ü‹✓›"}) for n in range(100)])),
    *[(LINKS, bodies.association_body(kind, [("1", "2"), ("3", "4")])) for kind in TYPES.values()],
    *[(PROPERTY, bodies.property_body(*names)) for names in UNIQUE.values()],
]


def planted(body):
    """Yield copies of a body, each with one field somewhere that HubSpot does not know."""
    spots = [(), *[("inputs", 0)] * ("inputs" in body)]
    first = body["inputs"][0] if "inputs" in body else {}
    spots += [("inputs", 0, name) for name in ("from", "to") if name in first]
    spots += [("inputs", 0, "types", 0)] * ("types" in first)
    for spot in spots:
        other = copy.deepcopy(body)
        place = other
        for step in spot:
            place = place[step]
        place["hub_job"] = "job_1"
        yield other


@pytest.mark.parametrize(("path", "body"), GOOD)
def test_a_built_body_fits(path, body):
    assert faults(path, body) == []


@pytest.mark.parametrize(("path", "body"), GOOD)
def test_a_planted_field_is_caught_wherever_it_stands(path, body):
    others = list(planted(body))
    assert others
    for other in others:
        assert any("hub_job" in text for text in faults(path, other))


WRONG = [
    # what was done to the body, and where
    (CONTACTS, {"inputs": [{"id": "a@example.com"}]}),  # no properties
    (CONTACTS, {"inputs": [{"properties": {}}]}),  # no id
    (CONTACTS, {"inputs": [{"id": "1", "properties": {"amount": 12}}]}),  # a number
    (CONTACTS, {"inputs": [{"id": "1", "properties": {"amount": None}}]}),  # a null
    (CONTACTS, {"inputs": {"id": "1", "properties": {}}}),  # no list
    (CONTACTS, {"inputs": [{"id": "1", "properties": {}, "id_property": "email"}]}),  # our name
    (CONTACTS, {}),
    (LINKS, {"inputs": [{"from": {"id": "1"}, "types": []}]}),  # to nothing
    (LINKS, {"inputs": [{"from": {"id": 1}, "to": {"id": "2"}, "types": []}]}),  # a number
    (
        LINKS,
        {
            "inputs": [
                {
                    "from": {"id": "1"},
                    "to": {"id": "2"},
                    "types": [{"associationCategory": "HUBSPOT", "associationTypeId": 3}],
                }
            ]
        },
    ),
    (PROPERTY, bodies.property_body("a", "A", "g") | {"type": "text"}),  # a field type
    (PROPERTY, {k: v for k, v in bodies.property_body("a", "A", "g").items() if k != "label"}),
]


@pytest.mark.parametrize(("path", "body"), WRONG)
def test_a_wrong_body_is_caught(path, body):
    assert faults(path, body)


def test_every_request_of_the_fixtures_fits():
    seen = set()
    for file in (Path(bodies.__file__).parent / "fixtures" / "out").rglob("*.json"):
        for call in json.loads(file.read_text())["calls"]:
            assert faults(call["path"], call["json"]) == [], file
            seen |= {path for path in SCHEMAS if re.fullmatch(path, call["path"])}
    assert seen == set(SCHEMAS)


@pytest.mark.parametrize("given", [{"idd": "1"}, {"object_write_trace": "x"}])
def test_the_models_refuse_what_they_do_not_know(given):
    with pytest.raises(TypeError):
        bodies.SimplePublicObjectBatchInputUpsert(id="1", properties={}, **given)
