"""Reloads under load, in short; `make reloads` does a hundred."""

from pathlib import Path

from tests.e2e.reloading import play


async def test_no_request_fails_and_no_job_is_of_two_versions(tmp_path: Path) -> None:
    tally = await play(tmp_path, reloads=9, seed=7)
    assert (tally.reloads, tally.refused) == (9, 3)
    assert tally.failed == 0, tally.answers
    assert tally.mixed == []
    assert tally.states == {"done": tally.jobs}
    assert tally.versions > 3
    assert (tally.untold, tally.told_twice) == (0, 0)
