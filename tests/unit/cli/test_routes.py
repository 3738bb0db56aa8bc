"""`hub routes`: a wrong route is seen, then released or cancelled with one command."""

import pytest
from sqlalchemy import insert

from hub.ceiling import Ceiling
from store import claims
from store.schema import accounts


def claim(hub, *, per_hour: int) -> int:
    """Claim what there is, as a running hub would."""
    found = hub.do(
        lambda tx: len(
            claims.claim(
                tx,
                {"toy": 100},
                node="n",
                until=tx.now,
                ceiling_of=lambda name, *_: Ceiling(per_hour=per_hour) if name == "mail" else None,
            )[0]
        )
    )
    hub.capfd.readouterr()  # the store said that a route is held
    return found


@pytest.fixture
def flooded(hub):
    """A hub of which one route wrote far too many mails."""
    hub.do(lambda tx: tx.run(insert(accounts), {"account": "toy", "connector": "toy"}))
    for n in range(12):
        hub.sale(name=f"n{n}")
    assert claim(hub, per_hour=4) == 12 + 4
    return hub


def test_what_is_held_is_listed(flooded) -> None:
    put, mail = flooded.rows("routes")
    assert (put["name"], put["held"], put["do"]) == ("put", 0, "toy.put")
    assert (mail["held"], mail["this_hour"], mail["per_hour"]) == (8, 4, "computed")
    assert mail["reason"] == "over 4 jobs an hour"
    assert [row["name"] for row in flooded.rows("routes", "--held")] == ["mail"]
    assert flooded("routes", says="over 4 jobs an hour") == 0


def test_release_lets_all_go(flooded) -> None:
    assert flooded("routes", "release", "mail", says="8 jobs are released") == 0
    assert flooded.rows("routes", "--held") == []
    assert claim(flooded, per_hour=4) == 8


def test_cancel_ends_all(flooded) -> None:
    assert flooded("routes", "cancel", "mail", says="8 jobs are cancelled") == 0
    assert flooded.rows("routes", "--held") == []
    assert claim(flooded, per_hour=4) == 0
    assert flooded.jobs().count("cancelled") == 8


def test_a_paused_route_is_listed_and_goes_on_by_the_file_alone(flooded) -> None:
    path = flooded.home / "config.yaml"
    path.write_text(path.read_text().replace("name: mail,", "name: mail, paused: true,"))
    assert [row["paused"] for row in flooded.rows("routes")] == [None, True]
    assert flooded("routes", "release", "mail") == 1
    assert "mail is paused in config.yaml" in flooded.err


@pytest.mark.parametrize("word", ["release", "cancel"])
def test_nothing_held_is_said(hub, word) -> None:
    assert hub("routes", word, "mail", says="mail") == 1
