"""A new key for a store beside a running hub, killed half-way; `make rotate` does it at size."""

from pathlib import Path

import pytest

from tests.chaos.rotation import play


@pytest.mark.timeout(200)
async def test_killed_half_way_it_goes_on_and_no_read_fails(home: Path) -> None:
    verdict = await play(home, f"sqlite:///{home}/hub.db", rows=2_000, kills=1, seed=7)
    assert verdict.good, str(verdict)
    assert 0 < verdict.counted["left when killed the 1. time"] < 2_000
    assert verdict.counted["reads answered meanwhile"] > 20
