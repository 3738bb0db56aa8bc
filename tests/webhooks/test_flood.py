"""A short attack on a running hub; `make flood` makes a long one and looks at times too."""

from tests.webhooks.flood import flood


async def test_half_open_connections_and_bombs_are_turned_away_and_cost_little_memory(tmp_path):
    told = await flood(tmp_path, half=200, goods=80, bombs=40, bad=100, within=1)
    assert told.let_in == []
    kinds = {said.partition(": ")[0] for said in told.answers}
    assert kinds >= {"half open", "signed bomb", "bomb", "2 MiB", "odd coding", "bad signature"}
    assert told.goods >= 80
    assert told.grown < 50 << 20
