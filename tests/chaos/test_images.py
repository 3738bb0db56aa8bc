"""Images of a disk under load reopen with all that was acknowledged; the judge of them bites."""

from pathlib import Path

import pytest

from tests.chaos import images


@pytest.mark.timeout(240)
async def test_every_image_of_the_disk_has_what_was_acknowledged(home: Path) -> None:
    verdict = await images.play(home, images=12, seed=7)
    assert verdict.good, str(verdict)
    assert verdict.counted["acknowledged events at the last image"] > 50


@pytest.mark.timeout(240)
async def test_a_log_that_lost_what_was_acknowledged_is_found_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be, were the log not on disk before the answer: without synchronous=FULL."""
    monkeypatch.setattr(images, "cut", lambda log, sure, chance: log.write_bytes(b""))
    verdict = await images.play(home, images=3, seed=7)
    assert any("acknowledged, and not there" in fault for fault in verdict.faults)
