"""The judge of hubs under load: what was acknowledged, what was done, what the store says."""

import asyncio

from tests.chaos.load import Yard
from tests.e2e.judge import Verdict

TRACEBACK = "Traceback (most recent call last)"


async def sentence(place: Yard) -> Verdict:
    """Stop the hubs; compare what was acknowledged with what the provider did, then the store."""
    verdict = Verdict()
    codes = [await asyncio.to_thread(node.stop) for node in place.nodes]
    verdict.same("exit codes at SIGTERM", codes, [0] * len(codes))
    told = [*place.taken, *place.noted]
    keyed = {one["id"] for one in told if one["kind"] != "tell_free" or one in place.noted}
    effects, calls = place.ledger.effects(), place.ledger.calls()
    unsure = set((await place.books.uncertain()).values())
    verdict.counted |= {
        "events acknowledged as webhooks": len(place.taken),
        "events acknowledged through the API": len(place.noted),
        "webhooks without an answer, sent again": place.feed.again,
        "webhooks answered and sent again": place.twice,
        "effects at the provider": effects.total(),
        "raw calls": calls.total(),
        "raw calls beyond one each": calls.total() - len(calls),
        "unsafe jobs uncertain": len(unsure),
    }
    ids = {one["id"] for one in told}
    verdict.none("lost", ids - effects.keys() - unsure)
    verdict.none("done twice", [one for one, count in effects.items() if count > 1])
    verdict.none("unsafe, and called twice", [one for one in ids - keyed if calls[one] > 1])
    verdict.none("nobody asked for", effects.keys() - ids)
    verdict.none("order broken in", place.ledger.order_breaks())
    verdict.same("jobs of one lane in flight at once", place.ledger.overlaps, 0)
    verdict.none("completed twice", await place.books.completed_twice())
    verdict.none("hub verify", await place.books.broken())
    verdict.same("tracebacks", sum(node.said().count(TRACEBACK) for node in place.nodes), 0)
    return verdict
