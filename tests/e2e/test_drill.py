"""A store lost under load and restored from a backup; `make drill` does it at size."""

from pathlib import Path

import pytest

from tests.e2e.drill import play


@pytest.mark.timeout(300)
async def test_what_was_acknowledged_before_the_backup_is_there_and_nothing_is_done_twice(
    tmp_path: Path,
) -> None:
    verdict = await play(tmp_path, orders=6, seed=3)
    assert verdict.good, str(verdict)
    assert verdict.counted["of these before the backup began"] >= 6
    assert verdict.counted["orders acknowledged after the backup, and lost"] > 0
