"""A rolling restart under load; `make roll` does the same for longer."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import fresh_database
from tests.chaos.rolling import play


@pytest.mark.timeout(120)
async def test_two_hubs_are_replaced_under_load_and_no_client_notices(
    home: Path, crashable: Any
) -> None:
    store = await fresh_database(crashable)
    verdict = await play(home, store, rolls=2, clients=6, seconds=2)
    assert verdict.good, str(verdict)
    assert verdict.counted["hubs replaced"] == 2
