"""A store copied amid its work, the copy killed on the way; `make moves` does it at size."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.moves import play


@pytest.mark.timeout(300)
async def test_a_copy_killed_again_and_again_loses_nothing_and_doubles_nothing(
    home: Path, postgres: Any
) -> None:
    verdict = await play(home, postgres, jobs=400, lanes=20, kills=2, seed=7)
    assert verdict.good, str(verdict)
    assert verdict.counted["times the copy was killed"] == 2
    assert verdict.counted["jobs alive when the hub was killed"] > 300
