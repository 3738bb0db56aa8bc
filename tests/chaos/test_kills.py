"""Hubs killed at random moments amid jobs in lanes; `make kills` does the same for longer."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import fresh_database
from tests.chaos.kill_loop import play


@pytest.mark.timeout(300)
async def test_three_hubs_on_one_database_lose_nothing_and_do_nothing_twice(
    home: Path, crashable: Any
) -> None:
    store = await fresh_database(crashable)
    verdict = await play(home, store, nodes=3, jobs=1000, lanes=50, kills=10, seed=7)
    assert verdict.good, str(verdict)
    assert verdict.counted["kills"] == 10


@pytest.mark.timeout(300)
async def test_one_hub_on_a_file_loses_nothing_and_does_nothing_twice(home: Path) -> None:
    store = f"sqlite:///{home}/hub.db"
    verdict = await play(home, store, nodes=1, jobs=500, lanes=25, kills=8, seed=7)
    assert verdict.good, str(verdict)
    assert verdict.counted["kills"] == 8
