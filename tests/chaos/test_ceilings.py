"""A route made wrong under load mails no more than its ceiling; `make ceilings` does it at size."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.ceilings import play
from tests.chaos.conftest import fresh_database


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sort", ["sqlite", "postgres"])
async def test_a_wrong_route_is_held_and_one_command_cancels_or_releases_all(
    home: Path, sort: str, request: Any
) -> None:
    store = f"sqlite:///{home}/hub.db"
    if sort == "postgres":
        store = await fresh_database(request.getfixturevalue("postgres"))
    verdict = await play(home, store, events=1500, again=120, ceiling=40)
    assert verdict.good, str(verdict)
    assert verdict.counted["held, then cancelled with one command"] > 100
