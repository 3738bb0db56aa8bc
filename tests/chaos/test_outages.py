"""The server under two busy hubs fails and comes back; `make chaos` measures what it costs."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.outages import play

PLAYED = ("server restarted", "backends killed", "idle in transaction", "hub killed")


@pytest.mark.timeout(300)
async def test_nothing_is_lost_and_no_hub_is_restarted_when_the_server_fails(
    home: Path, crashable: Any
) -> None:
    cells, verdict = await play(home, crashable, rate=15, seed=7, span=1, within=2, faults=PLAYED)
    assert verdict.good, str(verdict)
    assert len(cells) == len(PLAYED)  # after each, all that had piled up was done
