"""S3: several secrets, each until its last day, each with when it was last seen; and tolerances."""

from datetime import timedelta

import pytest

from store import secret_uses
from tests.webhooks.conftest import NEW, OLD, body


async def seen(bench) -> dict[str, object]:
    """Give when each secret was last seen, as it is kept."""
    await bench.receiver.note_secrets()
    async with bench.store.read() as connection:
        found = await secret_uses.last_seen(connection)
    return {secret: at for (_, secret), at in found.items()}


async def test_s3_each_secret_of_a_rotation_is_seen_for_itself_until_it_runs_out(bench) -> None:
    start = bench.clock.now()
    assert await seen(bench) == {}
    assert await bench.post(body("e1"), bench.signed(body("e1"), OLD)) == 200
    assert await seen(bench) == {"TOY_OLD": start}
    bench.clock.advance(60)
    assert await bench.post(body("e1"), bench.signed(body("e1"), NEW)) == 200  # a duplicate counts
    assert await seen(bench) == {"TOY_OLD": start, "TOY": start + timedelta(seconds=60)}
    bench.clock.advance(86_400)  # the old one's last day is over
    assert await bench.post(body("e2"), bench.signed(body("e2"), OLD)) == 401
    assert await bench.post(body("e2"), bench.signed(body("e2"), NEW)) == 200
    assert await seen(bench) == {"TOY_OLD": start, "TOY": bench.clock.now()}
    assert (await bench.stored())[1] == 2


async def test_what_another_node_saw_later_stays(bench) -> None:
    later, earlier = bench.clock.now(), bench.clock.now() - timedelta(hours=1)
    for at in (later, earlier):
        await bench.store.write(lambda tx, at=at: secret_uses.note(tx, {("toy", "TOY"): at}))
    assert await seen(bench) == {"TOY": later}


async def test_s3_a_removed_secret_lets_nothing_in(bench) -> None:
    door = bench.receiver.doors["toy"]
    bench.doors["toy"] = type(door)(door.connector, door.secrets[1:])
    assert await bench.post(body("e1"), bench.signed(body("e1"), OLD)) == 401
    assert await bench.post(body("e1"), bench.signed(body("e1"), NEW)) == 200


EDGES = [(60, 200), (61, 401), (-60, 200), (-61, 401), (0, 200)]


@pytest.mark.parametrize(("late", "status"), EDGES)
async def test_a_tolerance_narrows_the_window_both_ways_to_the_second(bench, late, status) -> None:
    door = bench.receiver.doors["toy"]
    bench.doors["toy"] = type(door)(door.connector, door.secrets, tolerance=60)
    assert await bench.post(body("e1"), bench.signed(body("e1"), late=late)) == status


async def test_when_every_secret_has_run_out_that_is_said(bench) -> None:
    door = bench.receiver.doors["toy"]
    bench.doors["toy"] = type(door)(door.connector, door.secrets[:1])
    bench.clock.advance(2 * 86_400)
    assert await bench.post(body("e1"), bench.signed(body("e1"), NEW)) == 401
    [refusal] = bench.receiver.refusals.last("toy")
    assert (refusal.reason, refusal.cause) == (
        "no_secret",
        "every secret of this connector has run out",
    )
