"""Whatever goes wrong leaves as a problem document of the closed list."""

import asyncio
import io
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from hub.api.endpoint import EVERYONE, Answer, Endpoints
from hub.api.problems import PROBLEMS
from hub.errors import NotStored, Refused
from tests.unit.api.conftest import problem

odd = Endpoints()


class Anything(BaseModel):
    """No bounds."""

    text: str = ""


@odd.get("/bug", may=EVERYONE)
async def bug(ask):
    """Divide by nothing."""
    return Answer(body=1 // 0)


@odd.get("/away", may=EVERYONE)
async def away(ask):
    """Find the store away."""
    raise NotStored("the disk is full")


@odd.get("/unlisted", may=EVERYONE)
async def unlisted(ask):
    """Refuse with a word that is not in the list."""
    raise Refused("no_such_code", "card 4242", secret="x")


@odd.post("/echo", may=EVERYONE, takes=Anything)
async def echo(ask):
    """Give back the text."""
    return Answer(body={"text": ask.item.text})


@pytest.fixture
def endpoints():
    return odd


async def test_a_bug_is_500_and_says_nothing_of_itself(door):
    told = await problem(await door.get("/v1/bug"), "internal")
    assert "Zero" not in str(told)
    assert "Traceback" not in str(told)
    assert told["retryable"] is False


async def test_a_store_that_cannot_commit_is_503_with_a_time_to_come_back(door):
    answer = await door.get("/v1/away")
    told = await problem(answer, "not_stored")
    assert answer.headers["Retry-After"] == "1"
    assert told["retryable"] is True
    assert "disk" not in str(told)


async def test_a_code_outside_the_list_is_our_bug(door):
    told = await problem(await door.get("/v1/unlisted"), "internal")
    assert "4242" not in str(told)
    assert "secret" not in told


async def test_an_unknown_path_is_404_and_a_wrong_method_405(door):
    await problem(await door.get("/v1/nowhere"), "not_found")
    answer = await door.send("DELETE", "/v1/echo")
    await problem(answer, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


async def test_a_request_id_is_kept_when_it_is_fit_and_made_when_not(door):
    answer = await door.get("/v1/nowhere", headers={"X-Request-Id": "shop-17.a_b"})
    assert answer.headers["X-Request-Id"] == "shop-17.a_b"
    for unfit in ("a b", "x" * 65, "", "ü"):
        answer = await door.get("/v1/nowhere", headers={"X-Request-Id": unfit})
        assert re.fullmatch(r"req_[0-9a-z]{26}", answer.headers["X-Request-Id"])


async def test_nothing_is_cached(door):
    assert (await door.get("/v1/nowhere")).headers["Cache-Control"] == "no-store"
    assert (await door.post("/v1/echo", {})).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ""],
)
async def test_a_body_must_say_it_is_json(door, kind):
    answer = await door.send("POST", "/v1/echo", data=b"{}", headers={"Content-Type": kind})
    await problem(answer, "unsupported_media_type")


async def test_a_coded_body_is_refused_unread(door):
    sent = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await door.send("POST", "/v1/echo", data=b"\x1f\x8b", headers=sent)
    await problem(answer, "unsupported_media_type")


async def test_more_than_a_mebibyte_is_413_whether_said_before_or_not(door):
    body = b'{"text": "' + b"x" * (1 << 20) + b'"}'

    async def chunks():
        for at in range(0, len(body), 1 << 16):
            yield body[at : at + (1 << 16)]

    json = {"Content-Type": "application/json"}
    await problem(
        await door.send("POST", "/v1/echo", data=io.BytesIO(body), headers=json), "too_large"
    )
    await problem(await door.send("POST", "/v1/echo", data=chunks(), headers=json), "too_large")


async def test_a_body_that_never_comes_is_408(door, monkeypatch):
    monkeypatch.setattr("hub.api.reading.READ_WITHIN", 0.05)
    cut = asyncio.Event()

    async def half():
        yield b'{"text'
        await cut.wait()

    json = {"Content-Type": "application/json"}
    answer = await door.send("POST", "/v1/echo", data=half(), headers=json)
    await problem(answer, "request_timeout")
    cut.set()


async def test_every_problem_has_its_page(client):
    for code, kind in PROBLEMS.items():
        answer = await client.get(f"/problems/{code}")
        assert answer.status == 200
        assert str(kind.status) in await answer.text()
    assert (await client.get("/problems/none")).status == 404


def test_the_code_raises_no_problem_outside_the_list():
    raised = re.compile(r'Refused\(\s*"([a-z_]+)"')
    files = [f for d in ("hub", "store") for f in Path(d).rglob("*.py")]
    found = {code for f in files for code in raised.findall(f.read_text())}
    assert found, "the pattern finds nothing"
    assert found <= set(PROBLEMS)
