"""The shipped mappings: their own tests pass, and they fit what the shop tells and actions take."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from connectors.hubspot import Hubspot
from connectors.segment import Segment
from connectors.sendgrid import SendGrid
from hub.model import read_json, write_json
from hub.nodes import plain
from hub.shop.vocabulary import SCHEMAS
from hub.tree import compose
from mappings import compile as compiler
from mappings.budget import Budget
from mappings.check import check
from mappings.examples import run_tests

LIBRARY = Path(compiler.__file__).parent / "library"
FILES = sorted(LIBRARY.glob("*.yaml"))
FIXTURES = sorted((LIBRARY / "fixtures").glob("*.json"))
PAIRS = [
    pytest.param(path, fixture, id=f"{path.stem}-{fixture.stem}")
    for path in FILES
    for fixture in FIXTURES
    if fixture.stem.partition("_")[0] == path.stem.partition("-")[0]
]
ACTIONS = {
    f"{cls.type}.{name}": spec
    for cls in (Hubspot, Segment, SendGrid)
    for name, spec in cls.actions().items()
}


def load(name):
    path = LIBRARY / "fixtures" / name
    if not path.is_file():
        raise LookupError(name)
    return read_json(path.read_bytes())


def shipped(path) -> compiler.Mapping:
    node, faults = compose(path.read_text(), path.name)
    made, more = compiler.mapping(node, file=path.name)
    assert [str(f) for f in faults + more] == []
    return made


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_its_own_tests_pass(path):
    found = run_tests(shipped(path), load)
    assert [str(f) for f in found] == []


def test_it_has_at_least_three_tests(path):
    assert len(plain(shipped(path).tests)) >= 3


def test_it_is_named_after_its_file(path):
    assert shipped(path).name == path.stem


def test_it_fits_what_the_shop_tells_and_the_action_takes(path):
    mapping = shipped(path)
    target = ACTIONS[mapping.to].model.model_json_schema()
    found = check(mapping, SCHEMAS[mapping.from_schema].model_json_schema(), target)
    assert [str(f) for f in found] == []


@pytest.mark.parametrize(("path", "fixture"), PAIRS)
def test_the_action_takes_what_it_makes(path, fixture):
    mapping = shipped(path)
    spec = ACTIONS[mapping.to]
    event = {"id": "evt_1", "occurred_at": "2026-03-01T09:30:00Z"}
    made = mapping({"event": event, mapping.roots[0]: load(fixture.name)})
    many = isinstance(made, list)
    assert not many or spec.many
    wanted = list[spec.model] if many else spec.model
    TypeAdapter(wanted).validate_json(write_json(made))


@pytest.mark.parametrize(("path", "fixture"), PAIRS)
def test_it_is_made_by_the_quick_program_as_the_careful_one_would(path, fixture):
    program = shipped(path)._program
    event = {"id": "evt_1", "occurred_at": "2026-03-01T09:30:00Z"}
    scope = {"event": event, fixture.stem.partition("_")[0]: load(fixture.name)}
    quick = program.run(scope, Budget(program.room, program.levels))
    assert repr(quick) == repr(program.careful(scope, Budget()))


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_is_as_the_shop_tells_it(fixture):
    SCHEMAS[f"shop.{fixture.stem.partition('_')[0]}@1"].model_validate(load(fixture.name))


def test_the_mapping_in_the_readers_eye_is_short():
    assert {p.name: n for p in FILES if (n := len(p.read_text().splitlines())) > 100} == {}


ID_ALONE = (
    'hub_order: "{{ order.id }}"',
    'hub_order: "{{ fulfilment.order_id }}"',
    'hub_cart: "{{ cart.id }}"',
)


def test_no_mail_carries_more_than_ids_in_what_the_provider_keeps():
    for path in FILES:
        text = path.read_text()
        for args in re.findall(r"custom_args: \{ (.*) \}\n  categories", text):
            assert args in ID_ALONE
