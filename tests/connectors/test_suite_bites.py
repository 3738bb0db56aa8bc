"""The contract suite catches what it is there for: the toy, broken in one way at a time."""

import json
import shutil
from pathlib import Path

import pytest

from hub import testing
from hub.testing.__main__ import main

pytestmark = pytest.mark.usefixtures("forget_plugins")

TOY = Path(__file__).parent / "toy"
LATE = "SIGNING.verify(request, secret, now=now)"
SENT = 'json=body, headers=headers)\n        return Outcome(ref=answer.json()["id"])'

# name: what is replaced in the toy's code, by what, and the case and words that must catch it
FAULTS = {
    "open_door": (LATE, "return", "in/sent.json: is refused unsigned", "was accepted"),
    "open_body": (
        LATE,
        "SIGNING.verify(request.with_body(b'{}'), secret, now=now)",
        "in/sent.json: is read as expected",
        "the good request is refused",
    ),
    "prefix_only": (
        LATE,
        "_lax(request, secret, now)",
        "in/sent.json: is refused with hostile headers",
        "Toy-Signature cut by one character was accepted",
    ),
    "ageless": (
        LATE,
        "SIGNING.verify(request, secret, now=float(request.header('Toy-Time') or 0))",
        "in/sent.json: is refused too old and too far ahead",
        "a time 301 s old is accepted",
    ),
    "divides_by_the_length": (
        LATE,
        "SIGNING.verify(request, secret, now=now); 1 / len(request.body)",
        "in/sent.json: is taken when signed by sign()",
        "ZeroDivisionError left verify",
    ),
    "any_secret": (
        LATE,
        "SIGNING.verify(request, Secret('toy-webhook-secret-one'), now=now)",
        "in/sent.json: is refused under another secret",
        "under an empty secret was accepted",
    ),
    "keyless": (
        'headers = {"Idempotency-Key": call.key}',
        "headers = {}",
        "out/create_label/ok.json: plays as expected",
        "Idempotency-Key",
    ),
    "wrong_body": (
        '| {"reference": call.job}\n        headers',
        '| {"ref": call.job}\n        headers',
        "out/create_label/ok.json: plays as expected",
        "call 0 (POST /labels): json",
    ),
    "new_key_each_time": (
        '{"Idempotency-Key": call.key}',
        '{"Idempotency-Key": call.key, "Other-Key": str(call.attempt)}',
        "out/create_label/ok.json: sends the same bytes again",
        "sent a second time",
    ),
    "clock_in_body": (
        SENT,
        SENT.replace("body,", 'body | {"at": str(call.clock.now())},'),
        "out/create_label/ok.json: sends the same bytes again",
        "sent a second time: body",
    ),
    "no_lookup": (
        '@lookup("create_label")',
        "",
        ": declares every action",
        "create_label is keyed, so it needs a @lookup",
    ),
    "lookup_of_nothing": (
        '@lookup("create_label")',
        '@lookup("create_lable")',
        ": declares every action",
        "",
    ),
    "reads_the_store": (
        "from pydantic import BaseModel",
        "import store.jobs\nfrom pydantic import BaseModel",
        ": imports hub and nothing else of ours",
        "imports store.jobs",
    ),
    "own_session": (
        "from pydantic import BaseModel",
        "import aiohttp\nfrom pydantic import BaseModel",
        ": imports hub and nothing else of ours",
        "call.http is the way out",
    ),
    "swallows": (
        "except AuthFailed as error",
        "except Exception as error",
        ": catches no error it does not name",
        "catches everything",
    ),
    "careless_with_answers": (
        'answer.json()["id"]',
        'answer.body.decode().split("id")[1]',
        "out/create_label/ok.json: bears an empty 2xx",
        "IndexError left the action",
    ),
    "tells_its_key": (
        'headers = {"Idempotency-Key": call.key}',
        'headers = {"Idempotency-Key": call.key}; call.log.info(self.settings.api_key.text())',
        "out/create_label/ok.json: plays as expected",
        "a secret stands in a log line",
    ),
    "plain_secret": ("api_key: Secret", "api_key: str | Secret", "by reference only", "written"),
    "blind_check": (
        'return [Check("api_key", "fail", str(error))]',
        'return [Check("api_key", "ok")]',
        "its check sees refused credentials",
        "every call was answered 401",
    ),
    "undocumented": (
        "    async def upsert_parcels",
        "    async def write_parcels",
        "says in its README",
        "write_parcels is upsert",
    ),
    "forgetful_of_fixtures": (
        "    async def upsert_parcels",
        "    async def write_parcels",
        "has fixtures for all it can do",
        "upsert_parcels",
    ),
}
LAX = '''
def _lax(request, secret, now):
    """Compare as many characters as were sent."""
    sent = request.header("Toy-Signature") or b""
    good = SIGNING.sign(request.body, secret, now=now)["Toy-Signature"].encode()
    if not sent or not good.startswith(sent):
        SIGNING.verify(request, secret, now=now)
'''


def broken(tmp_path: Path, kind: str, old: str, new: str) -> Path:
    """Copy the toy under another name, one thing in its code replaced."""
    folder = tmp_path / kind
    shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "__init__.py"
    code = path.read_text()
    assert code.count(old) == 1, old
    path.write_text(code.replace(old, new).replace('type = "toy"', f'type = "{kind}"') + LAX)
    return folder


def copy(tmp_path: Path, kind: str) -> Path:
    return broken(tmp_path, kind, "Toy delivers", "Toy still delivers")


def failures(folder: Path, about: str = "") -> dict[str, str]:
    """Run every case whose name has these words; give those that fail, with what they say."""
    found = {}
    for case in testing.cases(folder):
        try:
            if about in str(case):
                case.check()
        except Exception as error:  # noqa: BLE001 -- whatever a broken folder raises
            found[str(case)] = str(error)
    return found


def test_the_toy_itself_is_whole():
    assert failures(TOY) == {}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_is_caught(tmp_path, kind):
    old, new, case, words = FAULTS[kind]
    folder = broken(tmp_path, kind, old, new)
    found = failures(folder, case)
    assert found, "not caught"
    assert any(words in text for text in found.values()), found


def test_a_folder_with_a_fault_has_no_tier(tmp_path):
    assert testing.tier(broken(tmp_path, "no_tier", *FAULTS["no_lookup"][:2])) == "none"


def test_a_misspelt_key_of_a_fixture_is_caught(tmp_path):
    folder = copy(tmp_path, "misspelt")
    path = folder / "fixtures/out/create_label/refused.json"
    fixture = json.loads(path.read_text())
    fixture["expect"]["erors"] = fixture["expect"].pop("errors")
    path.write_text(json.dumps(fixture))
    (text,) = failures(folder, "refused.json").values()
    assert "unknown keys ['erors']" in text


def test_an_expected_call_that_is_not_made_is_caught(tmp_path):
    folder = copy(tmp_path, "one_call_less")
    path = folder / "fixtures/out/create_label/ok.json"
    fixture = json.loads(path.read_text())
    fixture["calls"] *= 2
    path.write_text(json.dumps(fixture))
    assert (
        "calls made"
        in failures(folder)["one_call_less out/create_label/ok.json: plays as expected"]
    )


def test_a_folder_that_cannot_be_imported_fails_its_cases_and_not_the_collection(tmp_path):
    folder = copy(tmp_path, "no_python")
    (folder / "__init__.py").write_text("this is no Python")
    assert len(failures(folder)) > 10


def test_tiers_follow_from_what_lies_in_the_folder(tmp_path):
    folder = copy(tmp_path, "climbing")
    assert testing.tier(folder) == "bronze"
    ok = json.loads((folder / "fixtures/out/upsert_parcels/ok.json").read_text())
    answers = {
        "refused": ({"status": 400}, "Reject"),
        "unauthorized": ({"status": 401}, "AuthFailed"),
        "too-many": ({"status": 429}, "RateLimited"),
        "broken": ({"status": 500}, "Ambiguous"),
        "cut": ({"fault": "cut"}, "Ambiguous"),
    }
    for name, (answer, error) in answers.items():
        fixture = ok | {"expect": {"error": error}}
        fixture["calls"] = [ok["calls"][0] | {"answer": answer}]
        path = folder / f"fixtures/out/upsert_parcels/{name}.json"
        path.write_text(json.dumps(fixture))
    found = testing.report(folder)
    assert (found.tier, found.missing["silver"]) == ("silver", ())
    assert any("a source of events" in text for text in found.missing["gold"])


def test_the_suite_runs_without_pytest_and_says_what_it_found(tmp_path, capsys):
    whole, faulty = copy(tmp_path, "whole"), broken(tmp_path, "faulty", *FAULTS["no_lookup"][:2])
    assert main([str(whole)]) == 0
    assert f"{whole}: bronze" in capsys.readouterr().out
    assert main([str(whole), str(faulty)]) == 1
    told = capsys.readouterr().out
    assert "FAILED faulty: declares every action" in told
    assert f"{faulty}: none" in told
    assert main([]) == 2
