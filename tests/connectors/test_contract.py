"""Every connector keeps the contract: its fixtures are the tests, no Python is added for it."""

import json

from hub import testing


def test_contract(case):
    case.check()


def test_a_folder_gives_a_case_for_each_of_its_fixtures(folder):
    names = [str(case) for case in testing.cases(folder)]
    fixtures = [*folder.glob("fixtures/in/*.json"), *folder.glob("fixtures/out/*/*.json")]
    assert fixtures
    for path in fixtures:
        name = path.relative_to(folder / "fixtures").as_posix()
        assert any(f"{folder.name} {name}:" in case for case in names), name


def test_every_fixture_is_json_with_its_source(folder):
    for path in folder.glob("fixtures/*/**/*.json"):
        assert json.loads(path.read_text())["source"], path
